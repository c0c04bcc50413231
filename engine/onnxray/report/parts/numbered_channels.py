"""Grids of channels on a sheet: rows and columns numbered, and what black and white stand for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

from onnxray.arrays import Image8
from onnxray.images.drawing.contact_sheet import Bar
from onnxray.images.drawing.page.palette import Palette
from onnxray.images.drawing.text import page_font
from onnxray.methods.synthesis.item import SynthesisItem

LARGEST: Final = 620
"""Pixels of the longer side of a grid with its numbers."""
NUMBERING: Final[Mapping[str, list[str]]] = {
    "activations": ["a channel's number is that at its left plus that above it"],
    "filters": [
        "a kernel's number is that at its left plus that above it; in a grid of filters by channels,",
        "left is the filter, above the channel",
    ],
}
_MARGIN, _FONT = 30, 12
_GREYS: Final[Image8] = np.broadcast_to(np.arange(256, dtype=np.uint8), (3, 1, 256))


def numbered_grid(item: SynthesisItem, options: Mapping[str, Any], palette: Palette) -> Image8 | None:
    """The grid of activations or of filters with its numbers; None of other pictures.

    A channel is the sum of the numbers at its left and above; of filters that read channels, they are the two.
    """
    counts = _counts(item, int(options.get("most", 0)))
    if counts is None:
        return None
    rows, columns, step = counts
    picture = item.images["image"]
    image = Image.fromarray(picture[0] if len(picture) == 1 else np.ascontiguousarray(picture.transpose(1, 2, 0)))
    room = LARGEST - _MARGIN
    factor = room / max(image.size)
    if factor >= 2:
        image = image.resize((image.width * int(factor), image.height * int(factor)), Image.Resampling.NEAREST)
    elif factor < 1:
        size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
        image = image.resize(size, Image.Resampling.LANCZOS)
    page = Image.new("RGB", (image.width + _MARGIN, image.height + _MARGIN), palette.page or palette.empty)
    page.paste(image.convert("RGB"), (_MARGIN, _MARGIN))
    pen = ImageDraw.Draw(page)
    _numbers(pen, columns, 1, image.width, palette, across=True)
    _numbers(pen, rows, step, image.height, palette, across=False)
    return np.ascontiguousarray(np.asarray(page).transpose(2, 0, 1))


def grey_bar(item: SynthesisItem, options: Mapping[str, Any]) -> Bar | None:
    """What the greys of activations and filters are."""
    if item.method == "activations":
        if options.get("normalise") == "layer":
            low, high = (f"{float(item.numbers_[name]):.3g}" for name in ("least", "largest"))
            return Bar(_GREYS, low, high)
        return Bar(_GREYS, "least", "largest", "of each channel")
    return Bar(_GREYS, "-max|w|", "max|w|", "of each kernel") if item.method == "filters" else None


def _counts(item: SynthesisItem, most: int) -> tuple[int, int, int] | None:
    """Rows, columns, and by how much the number at the left grows from row to row."""
    if item.method == "activations":
        shown = min(int(item.numbers_["channels"]), most)
    elif item.method == "filters":
        filters, channels = json.loads(item.numbers_["shape"])[:2]
        if item.target == "a row a filter, a column a channel":
            return min(filters, most), min(channels, most), 1
        shown = filters
    else:
        return None
    columns = math.ceil(math.sqrt(shown))
    return math.ceil(shown / columns), columns, columns


def _numbers(pen: ImageDraw.ImageDraw, count: int, step: int, length: int, palette: Palette, *, across: bool) -> None:
    """The numbers of columns or rows, as many as have room."""
    font, tile = page_font(_FONT), length / count
    widest = font.getlength(str((count - 1) * step)) + 6 if across else _FONT + 2.0
    for place in range(0, count, max(1, math.ceil(widest / tile))):
        middle = _MARGIN + (place + 0.5) * tile
        at, anchor = ((middle, _MARGIN - 4), "ms") if across else ((_MARGIN - 4, middle), "rm")
        pen.text(at, str(place * step), font=font, fill=palette.soft_ink, anchor=anchor)
