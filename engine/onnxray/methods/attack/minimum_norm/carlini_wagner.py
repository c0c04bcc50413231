"""Carlini and Wagner's L2 attack (2017, arXiv 1608.04644).

    min_w  ||x - x_0||^2 / 255^2 + c max(m(x) + k, 0),    x = low + (high - low) (1 + tanh w) / 2

by Adam, with m the margin, k the ``confidence``, low and high what a pixel may hold; begun at w_0, where x is x_0. c
starts at ``constant``, is multiplied by 10 until something has arrived, and is then bisected; each c begins at w_0
again. A sample whose objective has not fallen by 1e-4 of itself in a tenth of the steps is done with its c. Arrays,
which have no bounds, have x = x_0 + 127.5 (w - w_0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.adam import Adam
from onnxray.methods.attack.base import Attacked, Perturbations
from onnxray.methods.attack.smallest import Best, SmallestNorm
from onnxray.methods.attack.threat import NORMS, Floats, Norm
from onnxray.methods.option_checks import Range

_INSIDE = 0.999999
"""How much of the range w_0 stays within: tanh never reaches its ends."""
_PROGRESS = 0.9999
_CHECKS = 10


@final
@dataclass(frozen=True, kw_only=True)
class CarliniWagner(SmallestNorm):
    """Carlini and Wagner's L2: distance and margin weighed against each other; thorough and slow."""

    name: ClassVar[str] = "carlini-wagner"

    steps: Annotated[int, "gradients taken, for each constant", Range(1, 100_000)] = 1000
    constants: Annotated[int, "constants c tried", Range(1, 100)] = 9
    constant: Annotated[float, "c at the start", Range(1e-9, 1e9)] = 1e-3
    step_size: Annotated[float, "Adam's rate, in w", Range(1e-6, 10.0)] = 0.01
    confidence: Annotated[float, "k, how far beyond the boundary, in units of the logits", Range(0.0, 1e6)] = 0.0

    @property
    def measure(self) -> Norm:
        """L2."""
        return NORMS["l2"]

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        count = len(attacked)
        best = Best.none(count, attacked.oracle.numbers)
        c, low, high = np.full(count, self.constant), np.zeros(count), np.full(count, np.inf)
        for tried in range(self.constants):
            arrived = self._weighed(attacked, c, best, tried)
            high, low = np.where(arrived, c, high), np.where(arrived, low, c)
            c = np.where(np.isinf(high), 10 * c, (low + np.minimum(high, 1e300)) / 2)
        return Perturbations(d=best.d)

    def _weighed(self, attacked: Attacked, c: NDArray[np.float64], best: Best, tried: int) -> NDArray[np.bool_]:
        """All steps with one constant a sample: (n,), whether anything arrived."""
        oracle, rows = attacked.oracle, attacked.rows
        space = _Space.of(*oracle.bounds(rows))
        w = space.start.copy()
        adam, arrived = Adam.none(*w.shape), np.zeros(len(rows), bool)
        before, open_ = np.full(len(rows), np.inf), np.arange(len(rows))
        check = math.ceil(self.steps / _CHECKS)
        for step in range(self.steps):
            open_ = open_[oracle.left(rows[open_], 2)]
            if not open_.size:
                break
            d, slope = space.moved(w[open_], open_)
            slopes = oracle.slopes(d, rows[open_])
            hinge = np.maximum(slopes.margin + self.confidence, 0)
            there = slopes.margin < min(0.0, -self.confidence) if self.confidence else slopes.margin < 0
            size = self.measure.size(d)
            best.keep(open_, d, size, there)
            arrived[open_[there]] = True
            pull = np.where(hinge > 0, c[open_], 0)[:, None].astype(np.float32)
            gradient = (np.float32(2 / 255**2) * d + pull * slopes.gradient) * slope
            w[open_] -= np.float32(self.step_size) * adam.step(open_, gradient, step + 1)[0]
            if step % check == 0:
                loss = (size / 255) ** 2 + c[open_] * hinge
                kept = loss <= _PROGRESS * before[open_]
                before[open_] = loss
                open_ = open_[kept]
            attacked.tell(tried * self.steps + step + 1, self.constants * self.steps, f"constant {tried + 1}")
        return arrived


@dataclass(frozen=True, eq=False)
class _Space:
    """d = low + (high - low) (1 + tanh w) / 2 where there are bounds. start: w_0; half: (high - low) / 2."""

    start: Floats
    half: Floats
    bounded: NDArray[np.bool_]

    @classmethod
    def of(cls, low: Floats, high: Floats) -> _Space:
        """Of the least and the greatest d."""
        bounded = np.isfinite(low) & np.isfinite(high)
        least, most = (np.where(bounded, end, other) for end, other in ((low, -127.5), (high, 127.5)))
        centre = -(most + least).astype(np.float64) / (most - least)  # where d is 0, between -1 and 1
        half = (most - least) / 2
        return cls(np.arctanh(_INSIDE * centre).astype(np.float32), half.astype(np.float32), bounded)

    def moved(self, w: Floats, places: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """d, and its slope by w; d is 0 at w_0."""
        half, bounded, start = self.half[places], self.bounded[places], self.start[places]
        tanh = np.tanh(w)
        d = half * np.where(bounded, tanh - np.tanh(start), w - start)
        return d, half * np.where(bounded, 1 - tanh * tanh, np.float32(1))
