"""What shows itself in a notebook. How each kind of value is shown stands in ``display/``, far below those that are.

A value is looked up there by its class when it is shown, so that no room imports what draws it.
"""

from __future__ import annotations

import importlib
from typing import Any

from onnxray.errors.shown_text import terminal

_LONGEST = 160


def one_line(value: object, facts: str) -> str:
    """``<Predictions 3 images, ...>``: the value's class and what is said of it, on one line of bounded length."""
    return f"<{type(value).__name__} {terminal(facts, _LONGEST)}>"


def short_number(value: object) -> str:
    """A number in a line: four digits of it; ``-`` where there is none."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)


def displays() -> Any:
    """What shows values: ``display/displays.py``."""
    return importlib.import_module("onnxray.display.displays")


class Displayed:
    """Shows itself at the end of a notebook's cell."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        html: str = displays().html(self)
        return html

    def _repr_png_(self) -> bytes | None:
        png: bytes | None = displays().png(self)
        return png


class CopiedAsItself:
    """Never changes once it is made, so that it is its own copy."""

    __slots__ = ()

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self
