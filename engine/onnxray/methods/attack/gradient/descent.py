"""The loop of attacks that go down a loss in steps within a budget; they differ in what each step goes along.

Given is the last iterate, or where the judge does not take it, as it is saved, the one of the lowest margin on the way;
each restart begins anywhere else, for the samples that are left.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.base import Attacked, Perturbations, WithinBudget
from onnxray.methods.attack.threat import Floats
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows
from onnxray.objectives.class_losses import LossName


@dataclass(frozen=True, kw_only=True)
class Descent(WithinBudget):
    """d_{k+1} = within(project_eps(d_k - a steepest(v_k))), v_k the ``direction`` of the gradients so far."""

    steps: Annotated[int, "gradients taken", Range(1, 100_000)] = 40
    step_size: Annotated[
        float | None, "a, in grey levels (of l2 and l1 the norm of a step); default: 2.5 eps / steps", Range(1e-6, 1e9)
    ] = None
    random_start: Annotated[bool, "whether to begin anywhere in the ball, or at the image itself"] = False
    restarts: Annotated[int, "how often to begin", Range(1, 10_000)] = 1
    loss: Annotated[LossName, "what is gone down"] = "cross-entropy"

    @property
    @abstractmethod
    def share(self) -> float:
        """a, of eps, where it is not stated."""

    @abstractmethod
    def direction(self, gradient: Floats, before: Floats) -> Floats:
        """(n, numbers): v_k of the gradient and v_{k-1}, which is 0 at first."""

    @final
    def perturb(self, attacked: Attacked) -> Perturbations:
        """All restarts."""
        oracle, best = attacked.oracle, np.zeros((len(attacked), attacked.oracle.numbers), np.float32)
        open_ = np.arange(len(attacked))
        for restart in range(self.restarts):
            found, met = self._descended(attacked, open_, restart)
            best[open_] = found
            open_ = open_[~met]
            open_ = open_[oracle.left(attacked.rows[open_], 3)]
            if not open_.size:
                break
        return Perturbations(d=best)

    def _descended(self, attacked: Attacked, places: Rows, restart: int) -> tuple[Floats, NDArray[np.bool_]]:
        """One run from one start: perturbations, and whether the judge takes them as they are saved."""
        oracle, norm, rows, eps = attacked.oracle, self.measure, attacked.rows[places], attacked.eps[places]
        size = (self.step_size * np.ones(len(rows)) if self.step_size else self.share * eps).astype(np.float32)
        d = self._begun(attacked, places, restart)
        lowest, nearest, v = np.full(len(rows), np.inf), d.copy(), np.zeros_like(d)
        for step in range(self.steps):
            left = np.flatnonzero(oracle.left(rows, 3))
            if not left.size:
                break
            slopes = oracle.slopes(d[left], rows[left], self.loss)
            lower = slopes.margin < lowest[left]
            lowest[left[lower]], nearest[left[lower]] = slopes.margin[lower], d[left[lower]]
            v[left] = self.direction(slopes.gradient, v[left])
            moved = d[left] - size[left, None] * norm.steepest(v[left])
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
