"""Squares that slide over a plane, and maps from one number a square."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def sliding_windows(plane: tuple[int, int], size: int, stride: int) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """(M, 4) windows, row by row, and the grid (rows, columns) that they form.

    Of each the first and last row, the first and last column, the last ones excluded. A side of n is covered by
    ceil((n - size) / stride) + 1 windows from 0 in steps of ``stride``; the last one ends with the plane.
    """
    rows, columns = (
        [(start, min(start + size, side)) for start in range(0, -(-(side - size) // stride) * stride + 1, stride)]
        for side in plane
    )
    found = np.array([(*row, *column) for row in rows for column in columns], np.int64)
    return found, (len(rows), len(columns))


def mean_over_windows(numbers: NDArray[Any], windows: NDArray[np.int64], plane: tuple[int, int]) -> NDArray[np.float64]:
    """m_yx = sum_k n_k [yx in window k] / sum_k [yx in window k]; every place must be covered."""
    total, cover = np.zeros(plane), np.zeros(plane)
    for number, (top, bottom, left, right) in zip(numbers.tolist(), windows.tolist()):
        total[top:bottom, left:right] += number
        cover[top:bottom, left:right] += 1
    return np.asarray(total / cover)
