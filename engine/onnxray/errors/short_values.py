"""Any value at all, shown in a message: its ``repr`` cut to a bounded length, in time bounded too.

``repr`` itself would take as long as the value is, and refuses whole numbers of more digits than Python's limit.
"""

from __future__ import annotations

import reprlib
from math import log10
from typing import Final

LONGEST_SHOWN: Final = 120
"""Characters of a value in a message, about."""

_ITEMS = 8
_BITS = 400


class _Short(reprlib.Repr):
    """Lists, tuples and dicts by their first items, text by its two ends; whole numbers as ``reprlib`` cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = self.maxdeque = _ITEMS
        self.maxstring = self.maxother = LONGEST_SHOWN
        self.maxlevel = 3

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002
        if x.bit_length() <= _BITS:
            return repr(x)
        return f"{'-' if x < 0 else ''}(a whole number of about {int(x.bit_length() * log10(2)) + 1} digits)"


def short(value: object) -> str:
    """``repr(value)``, or what fits into some ``LONGEST_SHOWN`` characters of it with ``...`` for the rest."""
    text = " ".join(_Short().repr(value).split("\n"))
    return text if len(text) <= 2 * LONGEST_SHOWN else text[: 2 * LONGEST_SHOWN] + "..."
