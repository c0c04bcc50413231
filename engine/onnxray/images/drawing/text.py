"""Text in pictures: whatever a model's labels and names hold, on one line and as much of it as fits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from onnxray.errors.shown_text import terminal

NO_MARKUP: Final[dict[str, Any]] = {"parse_math": False, "usetex": False}
"""What every text of a plot is made with: else matplotlib reads ``$...$`` in a name, and TeX where users have it on."""


ELLIPSIS = "…"


_BLANKS = re.compile(r"[ \t\n\r\f\v\xa0]+")


# Beyond this nothing is readable in a picture, and measuring text takes time.
_LONGEST = 1000


def clean_text(text: str) -> str:
    r"""``text`` on one line: white space as single spaces, what cannot be seen as its escape (``\u202e``)."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]}{ELLIPSIS}{text[-_LONGEST // 2 :]}"
    return terminal(_BLANKS.sub(" ", text).strip(" "))


def shorten(text: str, fits: Callable[[str], bool]) -> str:
    """``text``, or as much of its two ends as ``fits`` with an ellipsis between: names differ at their ends."""
    if fits(text):
        return text
    kept, refused = 0, len(text)
    while refused - kept > 1:
        tried = (kept + refused) // 2
        kept, refused = (tried, refused) if fits(_ends(text, tried)) else (kept, tried)
    return _ends(text, kept)


def _ends(text: str, count: int) -> str:
    return text[: (count + 1) // 2].rstrip() + ELLIPSIS + text[len(text) - count // 2 :].lstrip()
