"""Shares of trials, with their uncertainty.

interval   Wilson's, of a share p of n: (p + z^2/2n -+ z sqrt(p (1-p) / n + z^2/4n^2)) / (1 + z^2/n), z the normal
           distribution's quantile at (1 + confidence) / 2: 1.96 at 95 %
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any


def wilson(successes: float, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a share; (0, 1) of none. successes: whole, or a sum of numbers in [0, 1]."""
    if not count:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, square = successes / count, z**2 / count
    half = z * math.sqrt(share * (1 - share) / count + square / (4 * count))
    middle = share + square / 2
    low, high = (middle - half) / (1 + square), (middle + half) / (1 + square)
    return low if successes else 0.0, high if successes < count else 1.0  # but for the last digit of a float


def share_of(successes: int, count: int) -> float | None:
    """The share; None of none."""
    return successes / count if count else None


def share_with_interval(successes: int, count: int) -> dict[str, Any]:
    """A share and its interval, plain for JSON."""
    return {"share": share_of(successes, count), "interval": list(wilson(successes, count))}


def rate_of(successes: int, count: int) -> dict[str, Any]:
    """The same with how many of how many: ``count`` trials, ``reached`` of them."""
    return {"count": count, "reached": successes, **share_with_interval(successes, count)}


def rate_text(rate: Mapping[str, Any]) -> str:
    """``87 % (79 to 92 %, 87 of 100)``; ``-`` of no trials."""
    if rate["share"] is None:
        return "-"
    low, high = (f"{100 * end:.0f}" for end in rate["interval"])
    return f"{100 * rate['share']:.0f} % ({low} to {high} %, {rate['reached']} of {rate['count']})"
