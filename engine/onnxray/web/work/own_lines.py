"""Which changes lie on a line of their own, that of LOTS, and at which scale; it loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_on_own_line(entry: Mapping[str, Any]) -> bool:
    """Whether an item is of the line search of LOTS, towards a picture or its own representation.

    With gradients taken anew at each step it is on no line; towards values the page has no goal to draw one by.
    """
    files = entry.get("files")
    towards = entry.get("mode") in {"inhibit", "magnify"} or (isinstance(files, Mapping) and "target" in files)
    return "until" in entry and entry.get("search") != "step-and-adjust" and towards


def own_scale(entry: Mapping[str, Any]) -> Any:
    """Where on its line the saved picture lies: of LOTS the scale that was found, of others the largest change."""
    return entry.get("scale" if is_on_own_line(entry) else "linf")
