"""Maps to another size, bilinearly: half-pixel centres (as OpenCV and torch resize pictures), or corner on corner.

No matrix products: numpy's threads would go on spinning after them, on the cores that ONNX Runtime needs next.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Neighbours = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]
"""For each new place the two old ones it lies between, low and high, and the share t of the second."""


def bilinear(maps: NDArray[Any], size: tuple[int, int], *, corners: bool = False) -> NDArray[Any]:
    """(..., h, w) -> (..., height, width): (1 - t) low + t high of a place's two neighbours, by rows, then by columns.

    corners: the centres of the corner pixels fall on each other; else the pictures' edges do, and what lies beyond the
    outermost centres repeats them. Reducing does not average.
    """
    rows, columns = (_neighbours(old, new, corners) for old, new in zip(maps.shape[-2:], size))
    found = between(between(np.asarray(maps, np.float64), rows, -2), columns, -1)
    return np.asarray(found, maps.dtype if maps.dtype.kind == "f" else np.float64)


def between(numbers: NDArray[Any], neighbours: Neighbours, axis: Literal[-1, -2]) -> NDArray[Any]:
    """(1 - t) low + t high along an axis, one of the last two."""
    low, high, share = neighbours
    share = share if axis == -1 else share[:, None]
    return np.asarray(numbers.take(low, axis) * (1 - share) + numbers.take(high, axis) * share)


def _neighbours(old: int, new: int, corners: bool) -> Neighbours:
    """For each of ``new`` places the two of ``old`` that it lies between, and the share of the second."""
    places = np.arange(new, dtype=np.float64)
    places = places * (old - 1) / max(new - 1, 1) if corners else (places + 0.5) * old / new - 0.5
    places = np.clip(places, 0, old - 1)
    low = np.minimum(places.astype(np.int64), old - 1)
    return low, np.minimum(low + 1, old - 1), places - low
