"""The palette of all pictures; plots by matplotlib's own defaults, as PNGs. It is imported when one is drawn.

matplotlib reads a file ``matplotlibrc`` in the working folder, where a stranger's may lie beside the model: it can have
TeX run over every text, with lines of its own before them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from onnxray.images.drawing.text import clean_text, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, SOFT_INK, GRID = "#1a1a1a", "#5c5c5c", "#e4e4e4"
BLUE, VERMILION, GREEN = "#0072b2", "#d55e00", "#009e73"
ORANGE, PURPLE, YELLOW, SKY = "#e69f00", "#cc79a7", "#f0e442", "#56b4e9"
"""The palette of Okabe and Ito, which stays apart for every kind of colour vision."""
NAMELESS: Final[Mapping[str, str | None]] = MappingProxyType({"Software": None})
"""Without the name and version of matplotlib, which it writes into a PNG by itself."""


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of a colour of the palette, 0 to 255."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


@contextmanager
def own_style() -> Iterator[None]:
    """Draw and save within this, or in a function that is decorated with it, as if nobody had set anything."""
    import matplotlib as mpl

    defaults = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
    with mpl.rc_context(defaults):
        yield


def png_of(figure: Figure, metadata: Mapping[str, str | None] | None = NAMELESS) -> bytes:
    """A figure on white as the bytes of a PNG. metadata: of the file, beside what matplotlib writes by itself."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", facecolor="white", metadata=None if metadata is None else dict(metadata))
    return stream.getvalue()


def legible(text: str, longest: int) -> str:
    """Text the plot's font can draw, on one line; matplotlib warns of every other letter."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    drawn = "".join(letter if font.get_char_index(ord(letter)) else "\ufffd" for letter in clean_text(text))
    return shorten(drawn, lambda candidate: len(candidate) <= longest)
