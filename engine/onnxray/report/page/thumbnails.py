"""Small pictures that a page holds itself, as data: URLs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from onnxray.errors import ImageError
from onnxray.images.files import read_png

SIDE: Final = 96
"""Pixels of the longer side, as it is shown; twice as many are held, for screens that have them."""
_HELD, _QUALITY = 2 * SIDE, 80


@dataclass(frozen=True)
class Thumbnail:
    """url: of the picture itself; width, height: its own; small: it is shown enlarged, pixel by pixel."""

    url: str
    width: int
    height: int
    small: bool


def thumbnail(path: Path) -> Thumbnail | None:
    """Of a PNG of 8 bits; None of others and of what cannot be read."""
    try:
        array = read_png(path, deep=True)
    except (ImageError, OSError):
        return None
    if array.dtype.itemsize > 1 or array.shape[0] not in (1, 3):
        return None
    picture = Image.fromarray(array[0] if len(array) == 1 else array.transpose(1, 2, 0).copy())
    width, height = picture.size
    small = max(width, height) <= SIDE
    picture.thumbnail((_HELD, _HELD), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    if small:
        picture.save(stream, "PNG", optimize=True)
    else:
        picture.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    kind = "png" if small else "jpeg"
    return Thumbnail(f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}", width, height, small)
