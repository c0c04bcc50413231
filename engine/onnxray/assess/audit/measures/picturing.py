"""What a check shows of pictures: a sheet of them, drawn when rows are summed up and not kept with them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Final

import numpy as np
from PIL import Image

from onnxray.arrays import Image8
from onnxray.assess.audit.check import Picture
from onnxray.errors import ImageError
from onnxray.errors.shown_text import shortened, terminal
from onnxray.images.drawing.contact_sheet import Cell, Row, contact_sheet_pages
from onnxray.images.eight_bits import to_uint8
from onnxray.images.files import png_bytes, read_picture

_LARGEST: Final = 448
"""Pixels of the longer side that a picture keeps on its way to a sheet."""
_CAPTION: Final = 60


def seen(picture: Picture, *, grey: bool = False, size: tuple[int, int] | None = None) -> Image8 | None:
    """A picture's pixels (1 or 3, height, width) as its file has them, small; None where it cannot be read any more.

    size: (height, width) that it is stretched to.
    """
    try:
        image, _ = read_picture(picture.path, str(picture.path), grey=grey)
    except ImageError:
        return None
    if image.mode == "F":
        image = Image.fromarray(to_uint8(np.nan_to_num(np.asarray(image))))
    if size is not None:
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    else:
        image.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))


def name_of(picture: Picture) -> str:
    """What a picture is called in a caption."""
    return PurePath(picture.path).name


def sheet(title: str, cells: Sequence[Cell], *, subtitle: Sequence[str] = (), across: int = 6) -> bytes | None:
    """The cells, so many side by side, as a PNG; None where there are none."""
    if not cells:
        return None
    short = [replace(cell, caption=tuple(map(_caption, cell.caption))) for cell in cells]
    rows = [Row("", tuple(short[start : start + across])) for start in range(0, len(short), across)]
    stream = io.BytesIO()
    contact_sheet_pages(rows, title=title, subtitle=subtitle)[0].save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _caption(text: str) -> str:
    """As much of a label or a name as a cell has room for: to break text into lines takes as long as it is squared."""
    return shortened(terminal(text), _CAPTION)


def named_sheet(name: str, drawn: bytes | None) -> tuple[tuple[str, bytes], ...]:
    """What an outcome's ``pictures`` are."""
    return () if drawn is None else ((f"{name}.png", drawn),)


def kept(array: Image8) -> str:
    """A picture as a row can hold it."""
    return base64.b64encode(png_bytes(array)).decode()


def unpacked(text: str) -> Image8:
    """The same again."""
    with Image.open(io.BytesIO(base64.b64decode(text)), formats=("PNG",)) as image:
        array = np.asarray(image)
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))
