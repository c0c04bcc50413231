"""Shares of trials, with their uncertainty.

interval   Wilson's, of 95 %: (p + z^2/2n -+ z sqrt(p (1-p) / n + z^2/4n^2)) / (1 + z^2/n), z = 1.96
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_Z = 1.959963984540054


def wilson(successes: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share; (0, 1) of none."""
    if not count:
        return 0.0, 1.0
    share, square = successes / count, _Z**2 / count
    half = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count))
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
