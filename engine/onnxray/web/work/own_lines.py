"""Which changes lie on a line of their own, that of LOTS, and at which scale; it loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_on_own_line(document: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether an item is of the line search of LOTS; with gradients taken anew at each step it is on no line."""
    method = document.get("method")
    options = method.get("options") if isinstance(method, Mapping) else None
    steps = options.get("steps", 1) if isinstance(options, Mapping) else 1
    return "until" in entry and steps == 1


def own_scale(document: Mapping[str, Any], entry: Mapping[str, Any]) -> Any:
    """Where on its line the saved picture lies: of LOTS the scale that was found, of others the largest change."""
    return entry.get("scale" if is_on_own_line(document, entry) else "linf")
