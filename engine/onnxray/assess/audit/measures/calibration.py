"""Expected calibration error, with an interval by bootstrap.

    ECE = sum_b n_b / n |accuracy in b - mean confidence in b|        (Guo et al. 2017, arXiv 1706.04599, eq. 3)

b the bins of the winning class's probability, of equal width. The interval: the quantiles of ECE over samples drawn
from the pictures with replacement. ECE of few pictures is too large on average, and so is the interval.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxray.arrays import Array

_DRAWS = 500


def calibration_error(confidences: Sequence[float], right: Sequence[bool], bins: int) -> float:
    """The formula at the top of the file, of one picture at least."""
    sums = _sums(np.asarray(confidences, np.float64), np.asarray(right, bool), bins)
    return float(np.abs(sums).sum() / len(confidences))


def bootstrapped(
    confidences: Sequence[float], right: Sequence[bool], bins: int, confidence: float
) -> tuple[float, float]:
    """The interval; the same for the same pictures, in whatever order."""
    order = np.lexsort((np.asarray(right, bool), np.asarray(confidences, np.float64)))
    told, hit = np.asarray(confidences, np.float64)[order], np.asarray(right, bool)[order]
    random, count = np.random.default_rng(0), len(told)
    found = []
    for _ in range(_DRAWS):
        drawn = random.integers(0, count, count)
        found.append(np.abs(_sums(told[drawn], hit[drawn], bins)).sum() / count)
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _sums(confidences: Array, right: Array, bins: int) -> Array:
    """Of each bin, the sum of confidence less accuracy."""
    places = np.minimum((confidences * bins).astype(np.int64), bins - 1)
    return np.bincount(places, confidences - right, minlength=bins)
