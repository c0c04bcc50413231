"""Maps to another size, bilinearly: half-pixel centres (as OpenCV and torch resize pictures), or corner on corner."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def bilinear(maps: NDArray[Any], size: tuple[int, int], *, corners: bool = False) -> NDArray[Any]:
    """(..., h, w) -> (..., height, width): A maps B^T, A and B the weights of rows and columns.

    corners: the centres of the corner pixels fall on each other; else the pictures' edges do, and what lies beyond the
    outermost centres repeats them. Reducing does not average.
    """
    rows, columns = (_weights(old, new, corners) for old, new in zip(maps.shape[-2:], size))
    exact = np.asarray(maps, np.float64)
    return np.asarray(rows @ exact @ columns.T, maps.dtype if maps.dtype.kind == "f" else np.float64)


def _weights(old: int, new: int, corners: bool) -> NDArray[np.float64]:
    """(new, old): each row the shares of two neighbours."""
    places = np.arange(new, dtype=np.float64)
    places = places * (old - 1) / max(new - 1, 1) if corners else (places + 0.5) * old / new - 0.5
    places = np.clip(places, 0, old - 1)
    low = np.minimum(places.astype(np.int64), old - 1)
    high = np.minimum(low + 1, old - 1)
    weights = np.zeros((new, old))
    np.add.at(weights, (np.arange(new), low), 1 - (places - low))
    np.add.at(weights, (np.arange(new), high), places - low)
    return weights
