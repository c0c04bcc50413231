"""PGD, projected gradient descent (Madry et al. 2018, arXiv 1706.06083); without a random start BIM (Kurakin 2017).

    d_0 in the ball of eps,   d_{k+1} = within(project_eps(d_k - a steepest(grad L(x_0 + d_k))))

steepest and project are the norm's (threat.py), within keeps x_0 + d in [0, 255]; the iterate stays in floats. Given is
the last iterate, or where the judge does not take it the one of the lowest margin on the way; each restart begins
anywhere else, for the samples that are left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np

from onnxray.methods.attack.base import Attacked, Perturbations, WithinBudget
from onnxray.methods.attack.threat import Floats
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows
from onnxray.objectives.class_losses import LossName


@final
@dataclass(frozen=True, kw_only=True)
class PGD(WithinBudget):
    """Projected gradient descent: many small steps down the loss, each brought back into the budget."""

    name: ClassVar[str] = "pgd"

    steps: Annotated[int, "gradients taken", Range(1, 100_000)] = 40
    step_size: Annotated[
        float | None, "a, in grey levels (of l2 and l1 the norm of a step); default: 2.5 eps / steps", Range(1e-6, 1e9)
    ] = None
    random_start: Annotated[bool, "whether to begin anywhere in the ball (PGD), or at the image itself (BIM)"] = True
    restarts: Annotated[int, "how often to begin", Range(1, 10_000)] = 1
    loss: Annotated[LossName, "what is gone down"] = "cross-entropy"

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, best = attacked.oracle, np.zeros((len(attacked), attacked.oracle.numbers), np.float32)
        open_ = np.arange(len(attacked))
        for restart in range(self.restarts):
            rows = attacked.rows[open_]
            found, met = self._descended(attacked, open_, rows, restart)
            best[open_] = found
            open_ = open_[~met]
            open_ = open_[oracle.left(attacked.rows[open_], 3)]
            if not open_.size:
                break
        return Perturbations(d=best)

    def _descended(self, attacked: Attacked, places: Rows, rows: Rows, restart: int) -> tuple[Floats, Floats]:
        """One run from one start: perturbations, and whether the judge takes them as they are saved."""
        oracle, norm, eps = attacked.oracle, self.measure, attacked.eps[places]
        size = (self.step_size * np.ones(len(rows)) if self.step_size else 2.5 * eps / self.steps).astype(np.float32)
        d = self._begun(attacked, places, restart)
        lowest, nearest = np.full(len(rows), np.inf), d.copy()
        for step in range(self.steps):
            left = np.flatnonzero(oracle.left(rows, 3))
            if not left.size:
                break
            slopes = oracle.slopes(d[left], rows[left], self.loss)
            lower = slopes.margin < lowest[left]
            lowest[left[lower]], nearest[left[lower]] = slopes.margin[lower], d[left[lower]]
            moved = d[left] - size[left, None] * norm.steepest(slopes.gradient)
            d[left] = oracle.within(norm.project(moved, eps[left]), rows[left])
            attacked.tell(restart * self.steps + step + 1, self.restarts * self.steps, f"step {step + 1}")
        met = attacked.saved(d, places, norm)
        on_the_way = np.flatnonzero(~met & (lowest < 0))
        if on_the_way.size:
            before = nearest[on_the_way]
            met[on_the_way] = attacked.saved(before, places[on_the_way], norm)
            d[on_the_way[met[on_the_way]]] = before[met[on_the_way]]
        return d, met

    def _begun(self, attacked: Attacked, places: Rows, restart: int) -> Floats:
        """d_0: what was handed over at the first, else anywhere in the ball, or nothing."""
        oracle, rows, norm = attacked.oracle, attacked.rows[places], self.measure
        d = np.zeros((len(rows), oracle.numbers), np.float32)
        if attacked.start is not None and restart == 0:
            d = norm.project(attacked.start[places], attacked.eps[places])
        elif self.random_start:
            eps = attacked.eps[places].tolist()
            d = np.stack([norm.draw(attacked.random[k], oracle.numbers, own) for k, own in zip(places.tolist(), eps)])
        return oracle.within(d, rows)
