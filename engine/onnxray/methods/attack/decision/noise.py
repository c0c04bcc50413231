"""Noise of a given norm: what any attack has to do better than (Carlini et al. 2019, arXiv 1902.06705).

    d = within(eps z / ||z||),   z uniform in [-1, 1] each, or Gaussian

Drawn until the judge takes what is saved of one, ``draws`` times at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np

from onnxray.methods.attack.base import Attacked, Perturbations, WithinBudget
from onnxray.methods.attack.threat import Floats
from onnxray.methods.option_checks import Range

_TOGETHER = 16
"""Draws that a sample is asked about at once, at most."""


@final
@dataclass(frozen=True, kw_only=True)
class Noise(WithinBudget):
    """Noise of the budget's norm, drawn again until it succeeds: the baseline of every attack."""

    name: ClassVar[str] = "noise"
    needs_gradients: ClassVar[bool] = False

    norm: Annotated[Literal["linf", "l2", "l1"], "the norm of the budget"] = "linf"
    distribution: Annotated[Literal["uniform", "gaussian"], "of each number, before the norm is brought to eps"] = (
        "uniform"
    )
    draws: Annotated[int, "draws at most", Range(1, 10_000_000)] = 1000

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, rows = attacked.oracle, attacked.rows
        best = np.zeros((len(rows), oracle.numbers), np.float32)
        made, open_, drawn = np.zeros(len(rows), np.int64), np.arange(len(rows)), 0
        while open_.size and drawn < self.draws:
            count = min(1 + drawn, _TOGETHER, self.draws - drawn)
            while count > 1 and not oracle.left(rows[open_], count).all():
                count //= 2
            open_ = open_[oracle.left(rows[open_], count)]
            if not open_.size:
                break
            d = np.stack([self._drawn(attacked, k, count) for k in open_.tolist()])
            repeated = np.repeat(rows[open_], count)
            eps = np.repeat(attacked.eps[open_], count)
            whole = oracle.rounded(oracle.within(d.reshape(len(repeated), -1), repeated), repeated, self.measure, eps)
            met = oracle.met(whole, repeated).reshape(len(open_), count)
            first = np.where(met.any(1), met.argmax(1), count - 1)
            best[open_] = d[np.arange(len(open_)), first]
            made[open_] += first + 1
            open_, drawn = open_[~met.any(1)], drawn + count
            attacked.tell(drawn, self.draws, f"draw {drawn}")
        return Perturbations(d=oracle.within(best, rows), numbers={"draws": made.tolist()})

    def _drawn(self, attacked: Attacked, place: int, count: int) -> Floats:
        """(count, numbers): of norm eps."""
        random, shape = attacked.random[place], (count, attacked.oracle.numbers)
        if self.distribution == "gaussian":
            z = random.standard_normal(shape, np.float32)
        else:
            z = 2 * random.random(shape, np.float32) - 1
        return np.asarray(z * (attacked.eps[place] / np.maximum(self.measure.size(z), 1e-30))[:, None], np.float32)
