"""Which way up a picture file is, by its EXIF or XMP: one number, read without the rest of either.

Pillow's own reading of EXIF copies what every tag names, and 65,536 tags may name the same megabytes.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from PIL import Image

_ORIENTATION: Final = 0x0112
_WIDTHS: Final = {1: 1, 3: 2, 4: 4}
_XMP: Final = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def turning(image: Image.Image) -> int:
    """2 to 8 where a picture stands some other way than upright, as EXIF numbers them; else 1."""
    if image.format is None:  # in memory: whoever made it may have changed its EXIF
        found: Any = image.getexif().get(_ORIENTATION, 1)
    elif image.format == "TIFF":
        found = getattr(image, "tag_v2", {}).get(_ORIENTATION, 1)
    else:
        found = _of_exif(_exif(image))
        if found is None:
            told = _XMP.search(_xmp(image))
            found = int(told[1]) if told else 1
    return found if isinstance(found, int) and found in _TURNS else 1


def upright(image: Image.Image, turned: int) -> Image.Image:
    """A picture turned or mirrored as its EXIF asks; itself where it stands upright."""
    return image.transpose(_TURNS[turned]) if turned in _TURNS else image


def _exif(image: Image.Image) -> bytes:
    exif = image.info.get("exif")
    raw = image.info.get("Raw profile type exif")
    if exif is None and isinstance(raw, str):
        exif = bytes.fromhex("".join(raw.split("\n")[3:]))
    return exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else b""


def _xmp(image: Image.Image) -> bytes:
    for key in ("XML:com.adobe.xmp", "xmp"):
        if xmp := image.info.get(key):
            return xmp.encode("utf-8", "replace") if isinstance(xmp, str) else bytes(xmp)
    return b""


def _of_exif(exif: bytes) -> int | None:
    """The orientation in the first directory of a TIFF structure; None where it has none."""
    orders: dict[bytes, Literal["little", "big"]] = {b"II": "little", b"MM": "big"}
    order = orders.get(exif[:2])
    if order is None:
        return None

    def number(place: int, size: int) -> int:
        return int.from_bytes(exif[place : place + size], order)

    first = number(4, 4)
    found = None
    for place in range(first + 2, min(first + 2 + 12 * number(first, 2), len(exif) - 11), 12):
        width = _WIDTHS.get(number(place + 2, 2))
        if number(place, 2) == _ORIENTATION and width is not None and number(place + 4, 4) == 1:
            found = number(place + 8, width)
    return found
