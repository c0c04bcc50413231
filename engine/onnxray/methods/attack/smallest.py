"""The base of attacks that look for the smallest perturbation, and how what they find is brought to the judge.

An attack is steered by the twin, and ends on the boundary itself, where the judge need not agree and rounding moves a
sample back. So a perturbation d is scaled, x_0 + s d, by the first s of 1, 1.01, 1.025, 1.0475, ... 4 that the judge
takes, in floats and again in whole steps, where they begin at the scale by which the largest number is half a step, if
that is above 1: below it rounding leaves nothing. The bracket before s is halved five times. A sample that no scale
brings over is left as it is, and has failed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.base import Attack, Attacked, Perturbations
from onnxray.methods.attack.threat import NORMS, Floats, Norm
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows

_FIRST = 0.01
_LARGEST = 4.0
_VISIBLE = 0.5
"""Of a step: what is smaller is rounded to nothing."""
_HALVINGS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Best:
    """The smallest of n samples that has arrived: d (n, numbers), 0 where none has; size (n,), infinite there."""

    d: Floats
    size: NDArray[np.float64]

    @classmethod
    def none(cls, count: int, numbers: int) -> Best:
        """Before the first."""
        return cls(d=np.zeros((count, numbers), np.float32), size=np.full(count, np.inf))

    def keep(self, places: Rows, d: Floats, size: NDArray[np.float64], arrived: NDArray[np.bool_]) -> None:
        """Those of d that have arrived and are smaller."""
        better = np.flatnonzero(arrived & (size < self.size[places]))
        self.d[places[better]], self.size[places[better]] = d[better], size[better]


@dataclass(frozen=True, kw_only=True)
class Minimal(Attack):
    """An attack that gives the smallest perturbation of a norm, as far as it finds it."""

    @property
    @final
    def budget(self) -> float | None:
        """None: the smallest is looked for."""
        return None

    @abstractmethod
    def perturb(self, attacked: Attacked) -> Perturbations:
        """The smallest perturbations that the twin takes; 0 where it takes none."""

    @final
    def settled(self, attacked: Attacked, found: Perturbations) -> tuple[Perturbations, Floats]:
        """What the judge takes, in floats and in whole steps, along each direction."""
        oracle, norm = attacked.oracle, self.measure

        def whole(d: Floats, rows: NDArray[np.int64]) -> Floats:
            return oracle.rounded(d, rows, norm)

        once = np.ones(len(attacked))
        floats = found.d if not self.float_ else _reached(attacked, norm, found.d, oracle.within, once)
        start = found.d if found.whole is None else found.whole
        visible = np.maximum(_VISIBLE / np.maximum(NORMS["linf"].size(start), 1e-30), 1)
        whole_steps = oracle.variable.whole_steps
        return replace(found, d=floats), _reached(attacked, norm, start, whole, visible if whole_steps else once)


@dataclass(frozen=True, kw_only=True)
class SmallestNorm(Minimal):
    """A minimal attack that gets there step by step."""

    steps: Annotated[int, "gradients taken", Range(1, 100_000)] = 100


def _reached(
    attacked: Attacked, norm: Norm, d: Floats, shaped: Callable[[Floats, NDArray[np.int64]], Floats], first: Floats
) -> Floats:
    """``shaped(s d)`` of the smallest scale s that the judge takes; d itself, shaped, where it takes none.

    first: (n,) the s that is tried first, and that the others are counted from.
    """
    oracle, rows = attacked.oracle, attacked.rows
    best, low = shaped(d, rows), first.copy()
    high = np.full(len(rows), np.nan)
    open_ = np.flatnonzero((norm.size(d) > 0) & oracle.left(rows))
    scale = 1.0
    while open_.size and scale <= _LARGEST:
        s = scale * first[open_]
        tried = shaped(d[open_] * s[:, None].astype(np.float32), rows[open_])
        met = oracle.met(tried, rows[open_])
        best[open_[met]], high[open_[met]] = tried[met], s[met]
        low[open_[~met]] = s[~met]
        open_ = open_[~met]
        open_ = open_[oracle.left(rows[open_])]
        scale = 1 + 1.5 * (scale - 1) + _FIRST
    for _ in range(_HALVINGS):
        between = np.flatnonzero((high > low) & oracle.left(rows))
        if not between.size:
            break
        middle = (low[between] + high[between]) / 2
        tried = shaped(d[between] * middle[:, None].astype(np.float32), rows[between])
        met = oracle.met(tried, rows[between])
        best[between[met]], high[between[met]] = tried[met], middle[met]
        low[between[~met]] = middle[~met]
    return best
