"""The palette of all pictures; plots by matplotlib's own defaults, as PNGs. It is imported when one is drawn.

matplotlib reads a file ``matplotlibrc`` in the working folder, where a stranger's may lie beside the model: it can have
TeX run over every text, with lines of its own before them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from onnxray.images.drawing.page.palette import WHITE, Palette
from onnxray.images.drawing.text import clean_text, pieces, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, SOFT_INK, GRID = WHITE.ink, WHITE.soft_ink, WHITE.grid
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, _ = WHITE.lines
YELLOW = "#f0e442"
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


def png_of(figure: Figure, metadata: Mapping[str, str | None] | None = NAMELESS, *, palette: Palette = WHITE) -> bytes:
    """A figure as the bytes of a PNG, on the page of a palette, its panels too. metadata: of the file, beside what
    matplotlib writes by itself.
    """
    page = palette.page or "none"
    for panel in figure.axes:
        panel.set_facecolor(page)
    if palette.halo is not None:
        _with_halos(figure, palette.halo)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", facecolor=page, metadata=None if metadata is None else dict(metadata))
    return stream.getvalue()


def _with_halos(figure: Figure, colour: str) -> None:
    from matplotlib.patheffects import withStroke
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_path_effects([withStroke(linewidth=2.5, foreground=colour)])


def title_lines(text: str, longest: int, lines: int = 3) -> str:
    """A title as at most so many lines; what does not fit is cut out of the middle of the last."""
    words = [piece for word in legible(text, 10 * longest).split(" ") for piece in pieces(word, _no_longer(longest))]
    found: list[str] = []
    while words and len(found) < lines - 1:
        count = 1
        while count < len(words) and len(" ".join(words[: count + 1])) <= longest:
            count += 1
        found.append(" ".join(words[:count]))
        words = words[count:]
    return "\n".join([*found, *([shorten(" ".join(words), _no_longer(longest))] if words else [])])


def _no_longer(longest: int) -> Callable[[str], bool]:
    return lambda text: len(text) <= longest


def legible(text: str, longest: int) -> str:
    """Text the plot's font can draw, on one line; matplotlib warns of every other letter."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    drawn = "".join(letter if font.get_char_index(ord(letter)) else "\ufffd" for letter in clean_text(text))
    return shorten(drawn, _no_longer(longest))
