"""Spearman's rank correlation, by which maps are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def rank_correlation(a: NDArray[Any], b: NDArray[Any]) -> float | None:
    """rho = cov(r_a, r_b) / (sd(r_a) sd(r_b)), r the ranks, equal numbers sharing the mean of theirs.

    ``a`` and ``b`` have one size and any shape. None where either holds one number only: it orders nothing.
    """
    ranks = [_ranks(array) for array in (a, b)]
    centred = [rank - rank.mean() for rank in ranks]
    norm = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float(centred[0] @ centred[1]) / norm if norm > 0 else None


def _ranks(array: NDArray[Any]) -> NDArray[np.float64]:
    _, place, counts = np.unique(array.ravel(), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place.ravel()], np.float64)
