"""The map of tokens: the words in reading order, each on its colour. Pillow alone draws it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from onnxray.arrays import Image8
from onnxray.images.drawing.heat_map import draw_map
from onnxray.images.drawing.page.palette import WHITE, Palette
from onnxray.images.drawing.text import clean_text, page_font, shorten

_WIDTH, _MARGIN, _PAD, _GAP, _SIZE, _SMALL = 840, 20, 5, 5, 20, 13
_LONGEST_WORD = 40
_DARK = 128.0


def draw_words(
    words: Sequence[str], heat: NDArray[np.float32], span: float, *, signed: bool, colormap: str, title: str,
    palette: Palette = WHITE,
) -> Image8:  # fmt: skip
    """(T,) numbers, one a word; under each its number. uint8 RGB, CHW."""
    colours = draw_map(heat[None], span, signed=signed, colormap=colormap)[:, 0].T
    font, small = page_font(_SIZE), page_font(_SMALL)
    texts = [shorten(clean_text(word) or "␣", lambda text: len(text) <= _LONGEST_WORD) for word in words[: len(heat)]]
    numbers = [f"{value:.2g}" for value in heat]
    line = _SIZE + _SMALL + 4 * _PAD
    places: list[tuple[float, float, float]] = []
    x, y = float(_MARGIN), _MARGIN + (1.8 * _SIZE if title else 0.0)
    for text, number in zip(texts, numbers):
        wide = max(font.getlength(text), small.getlength(number)) + 2 * _PAD
        if x + wide > _WIDTH - _MARGIN and x > _MARGIN:
            x, y = float(_MARGIN), y + line + _GAP
        places.append((x, y, wide))
        x += wide + _GAP
    page = Image.new("RGB", (_WIDTH, int(y + line + _MARGIN)), palette.page or "white")
    pen = ImageDraw.Draw(page)
    if title:
        said = shorten(clean_text(title), lambda text: font.getlength(text) <= _WIDTH - 2 * _MARGIN)
        pen.text((_MARGIN, _MARGIN), said, font=font, fill=palette.ink)
    for (left, top, wide), text, number, colour in zip(places, texts, numbers, colours):
        box = (left, top, left + wide, top + _SIZE + 2 * _PAD)
        pen.rounded_rectangle(box, radius=4, fill=tuple(int(part) for part in colour))
        dark = float(colour @ np.array([0.299, 0.587, 0.114])) < _DARK
        ink = "white" if dark else WHITE.ink
        pen.text((left + wide / 2, top + _PAD + _SIZE / 2), text, font=font, fill=ink, anchor="mm")
        below = top + _SIZE + 3 * _PAD + _SMALL / 2
        pen.text((left + wide / 2, below), number, font=small, fill=palette.soft_ink, anchor="mm")
    return np.ascontiguousarray(np.asarray(page).transpose(2, 0, 1))
