"""The methods, one file each: ``onnxray.methods.lots.LOTS`` and whatever stands beside it."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, TypeVar

T = TypeVar("T")


def __getattr__(name: str) -> Any:
    if name in _names():
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"onnxray.methods has no method {name!r}")


def family(base: type[T]) -> dict[str, type[T]]:
    """Name -> method class, of every method that is a ``base``, in order of name."""
    found = {}
    for name in _names():
        module = importlib.import_module(f"{__name__}.{name}")
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, base) and thing.__module__ == module.__name__:
                found[getattr(thing, "name", name)] = thing
    return dict(sorted(found.items()))


def _names() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__)]
