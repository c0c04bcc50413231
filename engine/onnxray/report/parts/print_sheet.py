"""A picture on a sheet of A4 to print: its size in millimetres, cut marks, and a scale to check it by."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from onnxray.arrays import Image8
from onnxray.images.drawing.text import clean_text, page_font, shorten

_A4: Final = (210.0, 297.0)
_INCH: Final = 25.4
_OFF, _MARK, _SCALE, _MARGIN = 2.0, 8.0, 50.0, 10.0
"""In mm: how far cut marks stand off, how long they are, how long the scale is, and the sheet's margin."""
_GREY: Final = 120


def print_sheet(picture: Image8, wide: float, dpi: int, lines: Sequence[str], *, disc: bool) -> dict[str, bytes]:
    """``print.png`` and ``print.pdf``: a square picture (channels, side, side), ``wide`` mm, at ``dpi``.

    disc: cut along the circle in it. The PDF holds the sheet as a JPEG of the highest quality.
    """
    page = _drawn(picture, wide, dpi, lines, disc=disc)
    png, pdf = io.BytesIO(), io.BytesIO()
    page.save(png, "PNG", dpi=(dpi, dpi), optimize=True)
    # Without dates, so that the same patch is the same file.
    page.save(
        pdf, "PDF", resolution=float(dpi), quality=100, title=clean_text(lines[0]), creationDate=None, modDate=None
    )
    return {"print.png": png.getvalue(), "print.pdf": pdf.getvalue()}


def _drawn(picture: Image8, wide: float, dpi: int, lines: Sequence[str], *, disc: bool) -> Image.Image:
    def dots(mm: float) -> int:
        return round(mm / _INCH * dpi)

    page = Image.new("RGB", (dots(_A4[0]), dots(_A4[1])), "white")
    draw, thin = ImageDraw.Draw(page), max(1, dots(0.2))
    side = dots(wide)
    left, top = (page.width - side) // 2, (page.height - side) // 2
    whole = picture[0] if len(picture) == 1 else np.ascontiguousarray(picture.transpose(1, 2, 0))
    enlarged = Image.fromarray(whole).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    if disc:
        mask = Image.new("L", (side, side), 0)
        ImageDraw.Draw(mask).ellipse((0, 0, side - 1, side - 1), fill=255)
        page.paste(enlarged, (left, top), mask)
        draw.ellipse((left - thin, top - thin, left + side, top + side), outline=(_GREY,) * 3, width=thin)
    else:
        page.paste(enlarged, (left, top))
    for x in (left, left + side):
        for y in (top, top + side):
            out = (-1 if x == left else 1, -1 if y == top else 1)
            near, far = dots(_OFF), dots(_OFF + _MARK)
            draw.line((x + out[0] * near, y, x + out[0] * far, y), fill="black", width=thin)
            draw.line((x, y + out[1] * near, x, y + out[1] * far), fill="black", width=thin)
    _say(page, draw, dots(_MARGIN), dpi, [*lines, f"{wide:g} mm wide at {dpi} dots per inch; print at 100 %, unscaled"])
    low = page.height - dots(_MARGIN)
    start, end, tick = dots(_MARGIN), dots(_MARGIN + _SCALE), dots(2)
    draw.line((start, low, end, low), fill="black", width=thin)
    for x in (start, end):
        draw.line((x, low - tick, x, low + tick), fill="black", width=thin)
    font = page_font(dots(3.2))
    draw.text((end + dots(3), low - dots(2)), f"this line is {_SCALE:g} mm long", fill="black", font=font)
    return page


def _say(page: Image.Image, draw: ImageDraw.ImageDraw, margin: int, dpi: int, lines: Sequence[str]) -> None:
    font, y = page_font(round(3.6 / _INCH * dpi)), margin
    room = page.width - 2 * margin
    for line in lines:
        text = shorten(clean_text(line), lambda one: draw.textlength(one, font=font) <= room)
        draw.text((margin, y), text, fill="black", font=font)
        y += round(5.5 / _INCH * dpi)
