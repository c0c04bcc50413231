"""RayS, the ray that meets the boundary soonest (Chen, Gu 2020, arXiv 2006.12792): hard labels, L_inf.

    d = r s,   s in {-1, +1}^K,   r the least at which the judge takes x_0 + r s, as it was searched for

s begins at +1 throughout. At level l = 0, 1, 2, ... it is cut into 2^l blocks, and one after the other is turned over;
that is kept where the judge takes x_0 + (r - a) s, and r is then searched downwards, in steps a, 2 a, 4 a, ... and by
halving what is between, until it is known to a (``tolerance``, in grey levels). Every number of x_0 + d stays within
what it may hold. Asked is nothing but whether the judge takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.base import Attacked, Perturbations
from onnxray.methods.attack.smallest import SmallestNorm
from onnxray.methods.attack.threat import NORMS, Floats, Norm
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows

_WIDEST = 255.0
"""The first r; doubled of numbers that have no bounds."""
_DOUBLINGS = 12
_KEPT = 8
"""Queries that are left to bring what is found to the judge in whole grey levels."""


@final
@dataclass(frozen=True, kw_only=True)
class RayS(SmallestNorm):
    """RayS: the smallest L_inf by decisions alone, block after block of signs turned over."""

    name: ClassVar[str] = "rays"
    needs_gradients: ClassVar[bool] = False

    steps: Annotated[int, "blocks turned over", Range(1, 1_000_000)] = 2000
    tolerance: Annotated[float, "a, to which the radius is known, in grey levels", Range(1e-4, 16.0)] = 0.1

    @property
    def measure(self) -> Norm:
        """L_inf."""
        return NORMS["linf"]

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, rows = attacked.oracle, attacked.rows
        signs = np.ones((len(rows), oracle.numbers), np.float32)
        radius = self._shorter(attacked, np.arange(len(rows)), signs, np.full(len(rows), np.inf))
        level, block = 0, 0
        for step in range(self.steps):
            open_ = np.flatnonzero(oracle.left(rows, 1 + _KEPT))
            if not open_.size:
                break
            size = -(-oracle.numbers // 2**level)
            turned = signs[open_]
            turned[:, block * size : (block + 1) * size] *= -1
            shorter = self._shorter(attacked, open_, turned, radius[open_])
            kept = shorter < radius[open_]
            signs[open_[kept]], radius[open_] = turned[kept], shorter
            level, block = (level, block + 1) if (block + 1) * size < oracle.numbers else (min(level + 1, 62), 0)
            attacked.tell(step + 1, self.steps, f"block {step + 1}")
        met = np.isfinite(radius)
        d = signs * np.where(met, radius, 0)[:, None].astype(np.float32)
        return Perturbations(d=oracle.within(d, rows), numbers={"radius": np.where(met, radius, 0).tolist()})

    def _shorter(self, attacked: Attacked, places: Rows, signs: Floats, radius: Floats) -> Floats:
        """(m,): a radius at which these signs are taken, known to ``tolerance``; the same as it was where none is less.

        Below the first that was not taken may lie others: that is not asked.
        """
        oracle, rows, top = attacked.oracle, attacked.rows[places], radius.astype(np.float64)

        def taken(which: NDArray[np.int64], tried: Floats) -> NDArray[np.bool_]:
            d = signs[which] * tried[:, None].astype(np.float32)
            return oracle.met(oracle.within(d, rows[which]), rows[which])

        def open_among(which: NDArray[np.int64]) -> NDArray[np.int64]:
            return which[oracle.left(rows[which], 1 + _KEPT)]

        known, unknown = open_among(np.flatnonzero(np.isfinite(top))), open_among(np.flatnonzero(~np.isfinite(top)))
        found = known[taken(known, top[known] - self.tolerance)]
        top[found] -= self.tolerance
        if unknown.size:
            unbounded = np.asarray(np.isinf(oracle.bounds(rows[unknown])[1]).any(1))
            behind = self._widest(taken, unknown, unbounded)
            top[unknown] = behind
            found = np.concatenate([found, unknown[np.isfinite(behind)]])
        low, step = np.full(len(rows), -1.0), np.full(len(rows), 2 * self.tolerance)
        while True:
            apart = found[(low[found] < 0) | (top[found] - low[found] > self.tolerance)]
            open_ = open_among(apart)
            if not open_.size:
                return top
            between = np.where(low[open_] < 0, np.maximum(top[open_] - step[open_], 0), (top[open_] + low[open_]) / 2)
            met = taken(open_, between) & (between > 0)
            top[open_[met]], low[open_[~met]] = between[met], between[~met]
            step[open_] *= 2

    def _widest(
        self, taken: Callable[[NDArray[np.int64], Floats], NDArray[np.bool_]], which: NDArray[np.int64],
        unbounded: NDArray[np.bool_],
    ) -> Floats:  # fmt: skip
        """(m,): a radius that is taken, infinite where there is none."""
        found, width = np.full(len(which), np.inf), _WIDEST
        for doubling in range(_DOUBLINGS):
            open_ = np.flatnonzero(np.isinf(found) & (unbounded | (doubling == 0)))
            if not open_.size:
                break
            met = taken(which[open_], np.full(len(open_), width))
            found[open_[met]] = width
            width *= 2
        return found
