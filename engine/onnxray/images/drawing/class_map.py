"""Which class is predicted where: a map in flat colours over the image, and its legend."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from onnxray.arrays import Image8
from onnxray.graph.classifier.class_names import short_name
from onnxray.images.drawing.plot_style import BLUE, GREEN, INK, ORANGE, PURPLE, SOFT_INK, VERMILION, YELLOW, rgb
from onnxray.images.drawing.text import clean_text, page_font, shorten
from onnxray.images.eight_bits import to_uint8

# The image's own class is left pale; the others are told apart by every kind of vision.
_COLOURS = ((240, 240, 240), *map(rgb, (BLUE, ORANGE, GREEN, VERMILION, PURPLE, YELLOW)))
_OTHERS = (150, 150, 150)
_COVER = 0.65
_WIDTH, _ROW, _SWATCH, _EDGE = 224, 24, 14, 8


def draw_class_map(
    image: NDArray[np.float32], classes: NDArray[np.int64], own: int, label: Callable[[int], str]
) -> dict[str, Image8]:
    """``class-map``, at the image's size, and ``class-map-legend``: uint8, CHW.

    classes: (rows, columns), the class predicted at each position; own: that of the image itself. The most frequent
    classes have a colour each, the rest share one.
    """
    found, counts = np.unique(classes, return_counts=True)
    ranked = [int(found[k]) for k in np.argsort(-counts, kind="stable") if found[k] != own]
    shown = [own, *ranked[: len(_COLOURS) - 1]]
    rest = ranked[len(_COLOURS) - 1 :]
    colours = np.full((*classes.shape, 3), _OTHERS, np.uint8)
    for number, colour in zip(shown, _COLOURS):
        colours[classes == number] = colour
    height, width = image.shape[1:]
    flat = Image.fromarray(colours).resize((width, height), Image.Resampling.NEAREST)
    grey = np.broadcast_to(image.astype(np.float64).mean(0)[:, :, None], (height, width, 3))
    mixed = to_uint8(grey * (1 - _COVER) + np.asarray(flat, np.float64) * _COVER)
    shares = {int(number): count / classes.size for number, count in zip(found, counts)}
    lines = [(_mixed(colour), label(number), shares.get(number, 0.0)) for number, colour in zip(shown, _COLOURS)]
    if rest:
        lines.append((_mixed(_OTHERS), f"{len(rest)} other classes", sum(shares[number] for number in rest)))
    return {"class-map": np.ascontiguousarray(mixed.transpose(2, 0, 1)), "class-map-legend": _legend(lines)}


def _mixed(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """A colour as it looks over middle grey."""
    red, green, blue = (round(127.5 * (1 - _COVER) + part * _COVER) for part in colour)
    return red, green, blue


def _legend(lines: list[tuple[tuple[int, int, int], str, float]]) -> Image8:
    page = Image.new("RGB", (_WIDTH, _ROW * len(lines) + 2 * _EDGE), "white")
    canvas, font = ImageDraw.Draw(page), page_font(13)
    for place, (colour, text, share) in enumerate(lines):
        top = _EDGE + place * _ROW + (_ROW - _SWATCH) // 2
        canvas.rectangle((_EDGE, top, _EDGE + _SWATCH, top + _SWATCH), fill=colour, outline=SOFT_INK)
        left = _EDGE + _SWATCH + 8
        number = f"{share:.1%}"
        room = _WIDTH - left - _EDGE - font.getlength(f"  {number}")
        whole, fits = clean_text(text), partial(_fits, font, room)
        shown = whole if fits(whole) else shorten(clean_text(short_name(text)), fits)
        canvas.text((left, top - 1), shown, fill=INK, font=font)
        canvas.text((_WIDTH - _EDGE - font.getlength(number), top - 1), number, fill=SOFT_INK, font=font)
    return np.ascontiguousarray(np.asarray(page).transpose(2, 0, 1))


def _fits(font: Any, room: float, text: str) -> bool:
    return bool(font.getlength(text) <= room)
