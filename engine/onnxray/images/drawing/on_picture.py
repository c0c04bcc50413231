"""A map over the picture that it is of, at the picture's own size; what the model did not see is dimmed.

M'(x, y) = M((x + 1/2) w' / W - left - 1/2, ...), bilinear;  W: the picture's width, w': what it was resized to
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.drawing.heat_map import draw_overlay
from onnxray.images.drawing.object_outline import DIMMED, frame
from onnxray.images.drawing.plot_style import SKY, rgb
from onnxray.images.eight_bits import to_uint8
from onnxray.images.placement import Placement

_ROWS = 256
"""Rows that are drawn at a time: a picture may have millions of pixels, and colours are computed in float64."""


def draw_on_picture(
    picture: Image8, heat: NDArray[np.float32], shown_at: float, placed: Placement, *, signed: bool, colormap: str
) -> Image8:
    """uint8 RGB, CHW, of the picture's size (1 or 3, height, width). heat: at the model's size; see ``draw_overlay``.

    The edge of what the model saw is sky blue, if it is not the whole picture.
    """
    (high, wide), (height, width) = heat.shape, picture.shape[1:]
    x0, y0, x1, y1 = (round(side) for side in placed.to_original((0, 0, wide, high)))
    across = _weights(width, placed.resized[0], placed.left, wide).T
    down = _weights(height, placed.resized[1], placed.top, high)
    drawn = np.empty((3, height, width), np.uint8)
    for top in range(0, height, _ROWS):
        rows = slice(top, top + _ROWS)
        own = (down[rows] @ heat @ across).astype(np.float32)
        drawn[:, rows] = to_uint8(DIMMED * np.broadcast_to(picture[:, rows], (3, *own.shape)).astype(np.float64))
        seen = slice(max(top, y0), min(top + _ROWS, y1)), slice(x0, x1)
        if seen[0].start < seen[0].stop:
            part = own[seen[0].start - top : seen[0].stop - top, x0:x1]
            drawn[:, *seen] = draw_overlay(picture[:, *seen], part, shown_at, signed=signed, colormap=colormap)
    if (x0, y0, x1, y1) != (0, 0, width, height):
        thick = max(1, min(height, width) // 200)
        drawn[:, frame((height, width), (x0, y0, x1, y1), thick)] = np.array(rgb(SKY), np.uint8)[:, None]
    return drawn


def _weights(length: int, resized: int, offset: int, count: int) -> NDArray[np.float32]:
    """(length, count): how much each of ``count`` numbers counts at each place of the picture; at the ends the last."""
    at = np.clip((np.arange(length) + 0.5) * resized / length - offset - 0.5, 0, count - 1)
    weights: NDArray[np.float32] = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(count))).astype(np.float32)
    return weights
