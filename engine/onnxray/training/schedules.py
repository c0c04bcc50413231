"""How the rate of an optimiser goes over a training, as a share of what is stated; t goes from 0 to 1.

    constant   1
    linear     1 - t
    cosine     (1 + cos pi t) / 2                                        (Loshchilov, Hutter 2017, arXiv 1608.03983)
    one-cycle  from 1/25 up to 1 over the first 0.3 of the course, then down to 0, along half a cosine each
                                                                         (Smith, Topin 2018, arXiv 1708.07120)

These are torch's CosineAnnealingLR and OneCycleLR as functions of the step alone: a run that is gone on with needs no
state of theirs, and takes the very same steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, Literal

Schedule = Literal["constant", "linear", "cosine", "one-cycle"]

_RISE, _FIRST = 0.3, 1 / 25


def _cosine(start: float, end: float, t: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * t)) / 2


def _one_cycle(t: float) -> float:
    return _cosine(_FIRST, 1, t / _RISE) if t < _RISE else _cosine(1, 0, (t - _RISE) / (1 - _RISE))


SCHEDULES: Final[Mapping[Schedule, Callable[[float], float]]] = {
    "constant": lambda _: 1.0,
    "linear": lambda t: 1 - t,
    "cosine": lambda t: _cosine(1, 0, t),
    "one-cycle": _one_cycle,
}
"""By name."""
