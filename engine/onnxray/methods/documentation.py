"""What ``help`` shows of a method: what it is, its formula and source from the top of its file, its options."""

from __future__ import annotations

import inspect
import sys
import textwrap
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from onnxray.methods.option_checks import described

_WIDTH = 96


def documentation(method: type[Any]) -> str:
    """The class's own text, its file's, and a line for each option: name, type or choices, default, help."""
    file = sys.modules[method.__module__].__doc__
    parts = [inspect.cleandoc(text) for text in (method.summary, file) if text]
    hints = get_type_hints(method, include_extras=True)
    options = [_option(method, name, hint) for name, hint in hints.items() if get_origin(hint) is Annotated]
    return "\n\n".join([*parts, *(["Options\n" + "\n".join(options)] if options else [])])


def _option(method: type[Any], name: str, hint: Any) -> str:
    kind, text, _ = described(hint)
    absent = object()
    default = getattr(method, name, absent)
    state = "needed" if default is absent else f"default {default!r}"
    line = f"{name} ({_kind(kind)}, {state}): {text}"
    return textwrap.fill(line, _WIDTH, initial_indent="    ", subsequent_indent="        ", break_on_hyphens=False)


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " | ".join(map(str, get_args(kind)))
    parts = get_args(kind)
    if parts and get_origin(kind) is not tuple:
        return " | ".join(map(_kind, parts))
    if kind is type(None):
        return "none"
    return str(kind) if parts else kind.__name__
