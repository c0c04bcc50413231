"""Intervals of what is counted on samples.

Wilson's interval of a share p of n:  (p + z^2/2n -+ z sqrt(p (1-p) / n + z^2/4n^2)) / (1 + z^2/n), z the normal
distribution's quantile at (1 + confidence) / 2: 1.96 at 95 %.
"""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson(successes: float, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a share; (0, 1) of none. successes: whole, or a sum of numbers in [0, 1]."""
    if not count:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, square = successes / count, z**2 / count
    half = z * math.sqrt(share * (1 - share) / count + square / (4 * count))
    middle = share + square / 2
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))
