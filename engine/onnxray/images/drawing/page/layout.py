"""How pictures are sized, and how columns and rows are broken into lines and pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, Protocol, TypeVar

import numpy as np
from PIL import Image, ImageDraw

from onnxray.arrays import Image8
from onnxray.errors import InputError
from onnxray.images.drawing.page.palette import Palette

# Small pictures grow by a whole factor until a side has SMALL pixels, large ones shrink to _LARGE. In pixels.
SMALL: Final = 160
_LARGE = 224
_WIDEST_LINE = 2000
GUTTER: Final = 24


class Tall(Protocol):
    """What takes some of a page's height."""

    @property
    def height(self) -> int:
        """In pixels."""


TallT = TypeVar("TallT", bound=Tall)


def panel(image: Image8, palette: Palette, *, whole: bool = False) -> Image.Image:
    """A picture at the size it is shown: crisp where it grows, smooth where it shrinks, in a thin frame.

    whole: it is shown as it is, without a frame.
    Errors: InputError for what is no uint8 CHW of 1 or 3 channels.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[0] not in (1, 3) or array.size == 0:
        raise InputError(f"a picture is uint8 of shape (1 or 3, height, width), not {array.dtype} of {array.shape}")
    picture = Image.fromarray(np.ascontiguousarray(array.transpose(1, 2, 0)).squeeze(2 if len(array) == 1 else ()))
    if whole:
        return picture.convert("RGB")
    longest = max(picture.size)
    factor = math.ceil(SMALL / longest)
    if factor > 1 and factor * longest <= _LARGE:
        picture = picture.resize((factor * picture.width, factor * picture.height), Image.Resampling.NEAREST)
    elif longest > _LARGE:
        size = (max(1, round(picture.width * _LARGE / longest)), max(1, round(picture.height * _LARGE / longest)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    framed = Image.new("RGB", (picture.width + 2, picture.height + 2), palette.frame)
    framed.paste(picture, (1, 1))
    return framed


def placeholder(size: tuple[int, int], palette: Palette) -> Image.Image:
    """An empty frame as large as the other pictures."""
    box = Image.new("RGB", size, palette.empty)
    draw, middle = ImageDraw.Draw(box), size[1] // 2
    draw.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=palette.frame)
    draw.line([(size[0] // 2 - 9, middle), (size[0] // 2 + 9, middle)], fill=palette.frame, width=2)
    return box


def span(widths: Sequence[int], gap: int = GUTTER) -> int:
    """The width of what stands side by side."""
    return sum(widths) + gap * max(0, len(widths) - 1)


def bands(widths: Sequence[int]) -> list[tuple[int, int]]:
    """The columns, as ranges that fit on a line; the same for all rows, so that columns stay columns.

    As few lines as can be, then as even as can be: no single cell is left for the last one.
    """
    needed = len(_broken(widths, _WIDEST_LINE))
    narrow, wide = 0, _WIDEST_LINE
    while wide - narrow > 1:
        tried = (narrow + wide) // 2
        narrow, wide = (narrow, tried) if len(_broken(widths, tried)) <= needed else (tried, wide)
    return _broken(widths, wide)


def paginated(lines: Sequence[TallT], room: int) -> Iterator[list[TallT]]:
    """Lines in turn, as many a page as fit, at least one."""
    page: list[TallT] = []
    for line in lines:
        if page and sum(other.height for other in page) + line.height > room:
            yield page
            page = []
        page.append(line)
    yield page


def _broken(widths: Sequence[int], limit: int) -> list[tuple[int, int]]:
    found, start = [], 0
    for i in range(1, len(widths)):
        if span(widths[start : i + 1]) > limit:
            found.append((start, i))
            start = i
    return [*found, (start, len(widths))]
