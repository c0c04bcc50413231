"""Text in pictures: whatever a model's labels and names hold, on one line and as much of it as fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from PIL import ImageFont

from onnxray.errors.shown_text import terminal

NO_MARKUP: Final[dict[str, Any]] = {"parse_math": False, "usetex": False}
"""What every text of a plot is made with: else matplotlib reads ``$...$`` in a name, and TeX where users have it on."""


ELLIPSIS = "…"


_BLANKS = re.compile(r"[ \t\n\r\f\v\xa0]+")


_SIGNS = re.compile(r"[/\\_.:,;=-]")


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


def pieces(word: str, fits: Callable[[str], bool]) -> Iterator[str]:
    """A word in pieces that fit, broken behind a sign where there is one: names go on in the next line."""
    while (count := _fitting(word, fits)) < len(word):
        signs = [place.end() for place in _SIGNS.finditer(word[:count])]
        count = signs[-1] if signs and signs[-1] > count // 2 else count
        yield word[:count]
        word = word[count:]
    yield word


@lru_cache(maxsize=16)
def page_font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of all pictures with text, in pixels."""
    # Pillow's own font has little beyond ASCII; matplotlib, which we depend on, ships one with accents, Greek, Cyrillic
    # and arithmetic. Its files are found without importing it; some distributions leave them out.
    package = find_spec("matplotlib")
    if package is not None and package.origin is not None:
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        path = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / name
        if path.is_file():
            return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    return ImageFont.load_default(size=size)


def _fitting(word: str, fits: Callable[[str], bool]) -> int:
    """How much of the beginning fits, at least one sign: looked for from there, so that a long word costs no more."""
    kept, refused = 1, 2
    while fits(word[:refused]):
        if refused >= len(word):
            return len(word)
        kept, refused = refused, 2 * refused
    refused = min(refused, len(word))
    while refused - kept > 1:
        tried = (kept + refused) // 2
        kept, refused = (tried, refused) if fits(word[:tried]) else (kept, tried)
    return kept


def _ends(text: str, count: int) -> str:
    return text[: (count + 1) // 2].rstrip() + ELLIPSIS + text[len(text) - count // 2 :].lstrip()
