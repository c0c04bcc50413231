"""An object found in an image, drawn: what is outside is dimmed, its outline and box over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.drawing.plot_style import SKY, VERMILION, YELLOW, rgb
from onnxray.images.eight_bits import to_uint8
from onnxray.images.placement import Box

_OUTLINE, _FOUND, _REFERENCE = rgb(YELLOW), rgb(VERMILION), rgb(SKY)
DIMMED = 0.45
"""What is left of a picture where it is outside."""


def draw_object(image: Image8, mask: NDArray[np.bool_], box: Box | None, reference: Box | None = None) -> Image8:
    """uint8 RGB, CHW: the mask's outline yellow, the box vermilion, the reference's box sky blue."""
    shown = np.broadcast_to(image, (3, *mask.shape)).astype(np.float64)
    drawn = to_uint8(np.where(mask, shown, DIMMED * shown))
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    drawn[:, mask & ~inner] = np.array(_OUTLINE, np.uint8)[:, None]
    thick = max(1, min(mask.shape) // 100)
    for place, colour in ((reference, _REFERENCE), (box, _FOUND)):
        if place is not None:
            drawn[:, frame(mask.shape, place, thick)] = np.array(colour, np.uint8)[:, None]
    return drawn


def frame(shape: tuple[int, ...], box: Box, thick: int) -> NDArray[np.bool_]:
    """The edge of a box, ``thick`` pixels inwards, as a mask."""
    x0, y0, x1, y1 = (round(side) for side in box)
    edge = np.zeros(shape, bool)
    edge[y0:y1, x0:x1] = True
    edge[y0 + thick : max(y0 + thick, y1 - thick), x0 + thick : max(x0 + thick, x1 - thick)] = False
    return edge
