"""HopSkipJump (Chen, Jordan, Wainwright 2020, arXiv 1904.02144), from the boundary along an estimated normal of it.

    v      = mean_b (phi_b - mean phi) u_b,   phi_b = +1 where the judge takes x + delta u_b, else -1,   ||u_b||_2 = 1
    x     <- x + e v / ||v||  (linf: e sign v),   e = ||x - x_0|| / sqrt(t), halved until the judge takes it
    x     <- the boundary between x and x_0 (boundary.py)

B = first_draws sqrt(t) directions at step t: Gaussian, under linf uniform; delta = ||x - x_0|| / K of K numbers, 25.5
grey levels at the first step. The boundary is found to t = 1 / (K sqrt K), under linf 1 / K^2. 32 steps that begin with
100 directions are about 12,500 queries. Asked is nothing but whether the judge takes x. It begins at noise, or at
``start``, a sample of what is wanted: noise is of few classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np

from onnxray.methods.attack.base import Attacked, Perturbations
from onnxray.methods.attack.decision.boundary import drawn_back, noise_behind, sample_behind
from onnxray.methods.attack.smallest import SmallestNorm
from onnxray.methods.attack.threat import NORMS, Floats, Norm
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows

_FIRST_DELTA = 25.5
_STARTS = 1000
_KEPT = 16
"""Queries that are left to bring what is found to the judge in whole grey levels."""
_HALVINGS = 30
_NUMBERS = 4_000_000
"""Numbers of directions that are asked about together."""


@final
@dataclass(frozen=True, kw_only=True)
class HopSkipJump(SmallestNorm):
    """HopSkipJump: along the boundary by decisions alone, of files that give no more than a label."""

    name: ClassVar[str] = "hopskipjump"
    needs_gradients: ClassVar[bool] = False

    norm: Annotated[Literal["linf", "l2"], "what is made small"] = "l2"
    steps: Annotated[int, "steps along the boundary", Range(1, 100_000)] = 32
    first_draws: Annotated[int, "directions at the first step; at step t sqrt(t) times as many", Range(2, 100_000)] = (
        100
    )
    most_draws: Annotated[int, "the most of them", Range(2, 1_000_000)] = 10_000
    start: Annotated[str | None, "a sample of what is wanted, to begin from; default: noise"] = None

    @property
    def measure(self) -> Norm:
        """As it is stated."""
        return NORMS[self.norm]

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, rows, norm = attacked.oracle, attacked.rows, self.measure
        if self.start is None:
            d, behind = noise_behind(attacked, _STARTS)
        else:
            d, behind = sample_behind(attacked, self.start)
        open_ = np.flatnonzero(behind)
        best = np.zeros_like(d)
        d[open_] = drawn_back(attacked, open_, d[open_], norm, self._theta(oracle.numbers))
        best[open_], distance = d[open_], norm.size(d)
        smallest = distance.copy()
        for step in range(self.steps):
            count = int(min(self.first_draws * math.sqrt(step + 1), self.most_draws))
            open_ = open_[oracle.left(rows[open_], count + _KEPT) & (distance[open_] > 0)]
            if not open_.size:
                break
            delta = distance[open_] / oracle.numbers if step else np.full(len(open_), _FIRST_DELTA)
            normal = self._normal(attacked, open_, d[open_], delta, count)
            d[open_] = self._jumped(attacked, open_, d[open_], distance[open_] / math.sqrt(step + 1), normal)
            d[open_] = drawn_back(attacked, open_, d[open_], norm, self._theta(oracle.numbers))
            distance[open_] = norm.size(d[open_])
            nearer = open_[distance[open_] < smallest[open_]]
            best[nearer], smallest[nearer] = d[nearer], distance[nearer]
            attacked.tell(step + 1, self.steps, f"step {step + 1}")
        return Perturbations(d=best)

    def _theta(self, numbers: int) -> float:
        return 1 / numbers**2 if self.norm == "linf" else 1 / (numbers * math.sqrt(numbers))

    def _normal(self, attacked: Attacked, places: Rows, d: Floats, delta: Floats, count: int) -> Floats:
        """(m, numbers): v."""
        oracle, rows = attacked.oracle, attacked.rows[places]
        low, high = (one[:, None] for one in oracle.bounds(rows))
        weighted, plain = np.zeros_like(d), np.zeros_like(d)
        total, width = np.zeros(len(rows)), np.asarray(delta, np.float32)[:, None, None]
        size = max(1, _NUMBERS // d.size)
        for begin in range(0, count, size):
            drawn = min(size, count - begin)
            u = np.stack([self._directions(attacked.random[k], drawn, d.shape[1]) for k in places.tolist()])
            moved = np.clip(d[:, None] + width * u, low, high)
            u = (moved - d[:, None]) / width
            taken = oracle.met(moved.reshape(-1, d.shape[1]), np.repeat(rows, drawn)).reshape(len(rows), drawn)
            phi = np.where(taken, np.float32(1), np.float32(-1))
            weighted += np.einsum("mb,mbk->mk", phi, u)
            plain += u.sum(1)
            total += phi.sum(1)
        mean = np.where(np.abs(total) == count, 0, total / count).astype(np.float32)
        return weighted - mean[:, None] * plain

    def _directions(self, random: np.random.Generator, count: int, numbers: int) -> Floats:
        if self.norm == "linf":
            u = 2 * random.random((count, numbers), np.float32) - 1
        else:
            u = random.standard_normal((count, numbers), np.float32)
        return np.asarray(u / np.sqrt(np.einsum("bk,bk->b", u, u))[:, None])

    def _jumped(self, attacked: Attacked, places: Rows, d: Floats, length: Floats, normal: Floats) -> Floats:
        """The first of x + e v that the judge takes; x where it takes none."""
        oracle, rows, found = attacked.oracle, attacked.rows[places], d.copy()
        direction, length = self.measure.steepest(normal), length.astype(np.float32)
        open_ = np.arange(len(rows))
        for _ in range(_HALVINGS):
            open_ = open_[oracle.left(rows[open_])]
            if not open_.size:
                break
            tried = oracle.within(d[open_] + length[open_, None] * direction[open_], rows[open_])
            met = oracle.met(tried, rows[open_])
            found[open_[met]] = tried[met]
            open_ = open_[~met]
            length[open_] /= 2
        return found
