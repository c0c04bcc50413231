"""Many small maps as one picture: a grid, row by row, with white lines between."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from onnxray.images.eight_bits import to_uint8

_SMALLEST = 24
_LINE, _THICK = 255, 2


def mosaic(maps: NDArray[np.uint8], columns: int | None = None) -> NDArray[np.uint8]:
    """(n, C, h, w) -> (C, H, W), ``columns`` a row (a square of them where None); small maps grow by a whole factor."""
    count, channels, height, width = maps.shape
    columns = columns or math.ceil(math.sqrt(count))
    factor = max(1, math.ceil(_SMALLEST / max(height, width)))
    grown = maps.repeat(factor, 2).repeat(factor, 3)
    high, wide = height * factor + _THICK, width * factor + _THICK
    rows = math.ceil(count / columns)
    picture = np.full((channels, rows * high + _THICK, columns * wide + _THICK), _LINE, np.uint8)
    for place, one in enumerate(grown):
        top, left = place // columns * high + _THICK, place % columns * wide + _THICK
        picture[:, top : top + high - _THICK, left : left + wide - _THICK] = one
    return picture


def signed(maps: NDArray[np.floating]) -> NDArray[np.uint8]:
    """127.5 (1 + w / max|w|), the maximum over each map (n, ...): zero is middle grey."""
    largest = np.abs(maps).reshape(len(maps), -1).max(1).reshape(-1, *(1,) * (maps.ndim - 1))
    return to_uint8(127.5 * (1 + maps / np.where(largest > 0, largest, 1)))


def stretched(maps: NDArray[np.floating]) -> NDArray[np.uint8]:
    """255 (a - min) / (max - min) over all of them; one grey where they are all equal."""
    low, high = float(maps.min()), float(maps.max())
    return to_uint8(255 * (maps - low) / (high - low if high > low else 1))
