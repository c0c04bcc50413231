"""Figures of many numbers: means and medians, with intervals that assume little.

mean of numbers in [0, 1]   Wilson's interval at that share of n: no such numbers vary more than 0 and 1 do
median                      [x_(l), x_(n+1-l)], l the largest with P(B < l) <= (1 - confidence) / 2, B ~ Bin(n, 1/2):
                            of any distribution; without a bound where n is too small for one
mean                        m -+ t s / sqrt(n), Student's
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from onnxray.assess.audit.check import Better, Figure
from onnxray.methods.attack.rates import wilson

_NONE = "there are no pictures of it"


def mean_share(
    name: str, shares: Sequence[float], confidence: float, *, better: Better | None, slice: str | None = None,
    unit: str = "share",
) -> Figure:  # fmt: skip
    """The mean of numbers in [0, 1], one a picture."""
    count = len(shares)
    low, high = wilson(math.fsum(shares), count, confidence) if count else (None, None)
    return Figure(
        name=name, value=math.fsum(shares) / count if count else None, low=low, high=high, count=count, unit=unit,
        better=better, slice=slice, reason=None if count else _NONE,
    )  # fmt: skip


def median(
    name: str, numbers: Sequence[float], confidence: float, *, unit: str, better: Better | None,
    slice: str | None = None, infinite: str = "it is infinite",
) -> Figure:  # fmt: skip
    """The median; numbers may be infinite, and a median that is has no value but the reason ``infinite``."""
    ordered = sorted(numbers)
    count = len(ordered)
    if not count:
        return Figure(
            name=name, value=None, low=None, high=None, count=0, unit=unit, better=better, slice=slice, reason=_NONE
        )
    value = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    rank = rank_below_the_median(count, confidence)
    low, high = (None, None) if rank is None else (ordered[rank - 1], ordered[count - rank])
    return Figure(
        name=name, value=_finite(value), low=_finite(low), high=_finite(high), count=count, unit=unit, better=better,
        slice=slice, reason=None if math.isfinite(value) else infinite,
    )  # fmt: skip


def rank_below_the_median(count: int, confidence: float) -> int | None:
    """l of the formula, from 1; None where there is none."""
    chance = (1 - confidence) / 2
    below = special.bdtr(np.arange(count // 2), count, 0.5)  # P(B <= l - 1), l = 1, 2, ...
    rank = int(np.searchsorted(below, chance, side="right"))
    return rank or None


def mean(
    name: str, numbers: Sequence[float], confidence: float, *, unit: str, better: Better | None,
    slice: str | None = None,
) -> Figure:  # fmt: skip
    """The mean of any numbers; without an interval of one."""
    count = len(numbers)
    if not count:
        return Figure(
            name=name, value=None, low=None, high=None, count=0, unit=unit, better=better, slice=slice, reason=_NONE
        )
    value, half = math.fsum(numbers) / count, None
    if count > 1:
        spread = math.sqrt(math.fsum((number - value) ** 2 for number in numbers) / (count - 1))
        half = float(special.stdtrit(count - 1, (1 + confidence) / 2)) * spread / math.sqrt(count)
    return Figure(
        name=name, value=value, low=None if half is None else value - half, high=None if half is None else value + half,
        count=count, unit=unit, better=better, slice=slice,
    )  # fmt: skip


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
