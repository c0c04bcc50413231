"""The base of attacks that go down gradients which are estimated from the judge's scores.

    g = 1 / (2 s q) sum_i (L(x_0 + within(d + s u_i)) - L(x_0 + within(d - s u_i))) u_i      q pairs of directions u_i
    d <- within(project_eps(d - a v(g)))

L is the margin. A step costs 2 q queries, and one for where it has led: a sample is finished where the judge takes it
as it is saved; else the d of the lowest margin is given.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from onnxray.methods.attack.base import Attacked, Perturbations, WithinBudget
from onnxray.methods.attack.threat import Floats
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows

_NUMBERS = 4_000_000
"""Numbers of directions that are asked about together."""


@dataclass(frozen=True, kw_only=True)
class EstimatedDescent(WithinBudget):
    """Goes down an estimated gradient."""

    needs_gradients: ClassVar[bool] = False

    norm: Annotated[Literal["linf", "l2"], "the norm of the budget"] = "linf"
    steps: Annotated[int, "gradients estimated", Range(1, 100_000)] = 100
    pairs: Annotated[int, "q, the directions of an estimate, each asked there and back", Range(1, 100_000)] = 25
    spread: Annotated[float, "s, how far along a direction is asked, in grey levels", Range(1e-4, 255.0)] = 2.55
    step_size: Annotated[
        float | None, "a, in grey levels (of l2 the norm of a step); default: a tenth of eps", Range(1e-6, 1e9)
    ] = None  # fmt: skip

    @abstractmethod
    def directions(self, random: np.random.Generator, numbers: int) -> Floats:
        """(pairs, numbers): u."""

    @abstractmethod
    def followed(self, gradient: Floats, moments: Floats, step: int) -> Floats:
        """(m, numbers): v(g). moments: (2, m, numbers), 0 at the first step, changed in place."""

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, rows = attacked.oracle, attacked.rows
        eps, d = attacked.eps, np.zeros((len(rows), oracle.numbers), np.float32)
        if attacked.start is not None:
            d = oracle.within(self.measure.project(attacked.start, eps), rows)
        rate = np.asarray(eps / 10 if self.step_size is None else np.full(len(rows), self.step_size), np.float32)
        best, lowest, moments = d.copy(), np.full(len(rows), np.inf), np.zeros((2, *d.shape), np.float32)
        open_ = np.arange(len(rows))
        for step in range(self.steps):
            open_ = open_[oracle.left(rows[open_], 2 * self.pairs + 2)]
            if not open_.size:
                break
            gradient, own = self._estimated(attacked, open_, d[open_]), moments[:, open_]
            moved = d[open_] - rate[open_, None] * self.followed(gradient, own, step)
            moments[:, open_] = own
            d[open_] = oracle.within(self.measure.project(moved, eps[open_]), rows[open_])
            margins = oracle.margins(d[open_], rows[open_])
            lower = margins < lowest[open_]
            best[open_[lower]], lowest[open_[lower]] = d[open_[lower]], margins[lower]
            arrived = attacked.arrived(d[open_], open_, margins < 0, self.measure)
            best[open_[arrived]] = d[open_[arrived]]
            open_ = open_[~arrived]
            attacked.tell(step + 1, self.steps, f"step {step + 1}")
        return Perturbations(d=best)

    def _estimated(self, attacked: Attacked, places: Rows, d: Floats) -> Floats:
        """(m, numbers): g of samples at these places."""
        oracle, found, spread = attacked.oracle, np.empty_like(d), np.float32(self.spread)
        size = max(1, _NUMBERS // (2 * self.pairs * d.shape[1]))
        for start in range(0, len(places), size):
            part = slice(start, start + size)
            rows = attacked.rows[places[part]]
            low, high = (one[:, None, None] for one in oracle.bounds(rows))
            u = np.stack([self.directions(attacked.random[k], d.shape[1]) for k in places[part].tolist()])
            both = np.stack([d[part, None] + spread * u, d[part, None] - spread * u], 1)
            moved = np.clip(both, low, high).reshape(-1, d.shape[1])
            scores = oracle.margins(moved, np.repeat(rows, 2 * self.pairs)).reshape(len(rows), 2, self.pairs)
            known = np.asarray(np.isfinite(scores).all(1))[:, None]
            scores = np.where(known, scores, 0)  # of a pair that cannot be read there is no slope
            apart = (scores[:, 0] - scores[:, 1]) / (2 * self.spread * self.pairs)
            found[part] = np.einsum("mq,mqk->mk", apart.astype(np.float32), u)
        return found
