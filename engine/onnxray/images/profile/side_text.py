"""Small texts beside a model or in its metadata, checked in one pass before a parser of nested data sees them.

tomllib takes time quadratic in the dots of a key, both it and json recurse into brackets, and neither converts whole
numbers of more digits than Python's limit.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any, Final

MAX_TOML: Final = 2**20
"""Characters of a profile's TOML."""
MAX_DEPTH: Final = 32
"""Lists and tables inside each other."""
MAX_DOTS: Final = 16
"""Dots in one key of a TOML, or in the name of one of its tables."""
MAX_BARE: Final = 1000
"""Characters of a number or of a key without quotes in a TOML: its grammar takes 100 bytes for each."""
MAX_DIGITS: Final = 310
"""Digits of a whole number in JSON: those of the largest float."""
MAX_BRACKETS: Final = 50_000
"""Lists and tables in one text: one of two characters takes 64 bytes and more."""

# No branch of a string begins as another does, so the pass is linear; what is not closed ends the text. Runs of letters
# give nothing back (++); groups may (*), for Python 3.11.2, which Debian ships, goes wrong at groups that may not.
_TOML: Final = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*(?:"{3,5}|\Z)'
    r"|'''(?:[^']++|'(?!''))*(?:'{3,5}|\Z)"
    r'|"(?:[^"\\\n]++|\\.)*"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+"
    r"|(?P<bare>[\w+-]++)"
    r"|[][{}=,.\n]",
    re.DOTALL | re.ASCII,
)
_JSON: Final = re.compile(r'\\.|["[\]{}]', re.DOTALL)
"""What ends a string, what does not, and brackets: a letter or two each, for strings of megabytes."""


def parse_toml(text: str) -> dict[str, Any]:
    """The table of a TOML. Errors: ValueError saying what is wrong with it, or which limit it is above."""
    if len(text) > MAX_TOML:
        raise ValueError(f"{len(text)} characters; at most {MAX_TOML} are taken, labels go into a file of their own")
    dots = 0
    brackets = _Brackets()
    for found in _TOML.finditer(text):
        size = found.end() - found.start()
        if found.lastgroup is not None:
            if size > MAX_BARE:
                raise ValueError(f"a key or number of {size} characters; at most {MAX_BARE} are taken")
            continue
        sign = found.group() if size == 1 else ""
        if sign == ".":
            dots += 1
            if dots > MAX_DOTS:
                raise ValueError(f"a key with more than {MAX_DOTS} dots; a profile's keys have none")
        elif sign and sign in "[]{}=,\n":
            dots = 0
            if sign in "[]{}":
                brackets.meet(sign)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is too deeply nested") from None


def parse_json(text: str) -> Any:
    """The value of a JSON text. Errors: ValueError saying what is wrong with it, or which limit it is above."""
    brackets = _Brackets()
    within = False
    for found in _JSON.finditer(text):
        sign = found.group()
        if sign == '"':
            within = not within
        elif not within and len(sign) == 1:
            brackets.meet(sign)
    try:
        return json.loads(text, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is too deeply nested") from None


class _Brackets:
    """How many lists and tables there are, and how deep. Errors: ValueError where that is above the limits."""

    def __init__(self) -> None:
        self._count = self._depth = 0

    def meet(self, sign: str) -> None:
        if sign in "[{":
            self._count += 1
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise ValueError(f"lists or tables more than {MAX_DEPTH} deep")
            if self._count > MAX_BRACKETS:
                raise ValueError(f"more than {MAX_BRACKETS} lists and tables")
        elif sign in "]}":
            self._depth -= 1


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a whole number of {len(digits)} digits; at most {MAX_DIGITS} are taken")
    return int(digits)
