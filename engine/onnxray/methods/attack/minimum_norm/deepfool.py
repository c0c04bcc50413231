"""DeepFool (Moosavi-Dezfooli et al. 2016, arXiv 1511.04599): over the nearest boundary, as if all of them were flat.

    f_k = z_y - z_k,   w_k = grad f_k at x_0 + (1 + o) r,   k* = argmin_k |f_k| / ||w_k||_*
    r <- r - (|f_k*| / ||w_k*||_* + 1e-4) steepest(w_k*)      until x_0 + (1 + o) r, kept in [0, 255], has arrived

||.||_* is the dual norm, steepest(w) = w / ||w||_2 under l2 and sign w under linf; 1e-4 is of the range of pixels. The
classes k are the ``candidates`` that came first at x_0. Towards one class, or over a number, f is the margin alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np

from onnxray.methods.attack.base import Attacked, Perturbations
from onnxray.methods.attack.smallest import SmallestNorm
from onnxray.methods.attack.success import OtherClass
from onnxray.methods.attack.threat import NORMS, Norm
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows
from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.objective import Objective

_BEYOND = 0.0255
"""1e-4 of 255 grey levels: what a step goes beyond the flat boundary."""


@final
@dataclass(frozen=True, kw_only=True)
class DeepFool(SmallestNorm):
    """DeepFool: steps over the nearest boundary, each taken for flat; quick, and seldom the smallest."""

    name: ClassVar[str] = "deepfool"

    norm: Annotated[Literal["l2", "linf"], "the norm that is kept small"] = "l2"
    steps: Annotated[int, "steps over a boundary", Range(1, 100_000)] = 50
    candidates: Annotated[int, "classes looked at, the one that is left among them", Range(2, 100_000)] = 10
    overshoot: Annotated[float, "o, how much further than the boundaries", Range(0.0, 1.0)] = 0.02

    @property
    def measure(self) -> Norm:
        """The norm of the options."""
        return NORMS[self.norm]

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, norm, dual = attacked.oracle, self.measure, NORMS["l2" if self.norm == "l2" else "l1"]
        begin = np.zeros((len(attacked), oracle.numbers), np.float32) if attacked.start is None else attacked.start
        d, r = begin.copy(), np.zeros_like(begin)
        open_, count = np.arange(len(attacked)), len(self._boundaries(attacked, attacked.rows[:1]))
        for step in range(self.steps):
            open_ = open_[oracle.left(attacked.rows[open_], 2 * count)]
            if not open_.size:
                break
            best = np.full(len(attacked), np.inf)
            slope = np.zeros_like(d)
            for place in range(count):
                if not open_.size:
                    break
                rows = attacked.rows[open_]
                found = oracle.slopes_of(d[open_], rows, self._boundaries(attacked, rows)[place])
                if place == 0:  # the margin, which says who is done, comes with each of them
                    left = found.margin >= 0
                    open_, rows = open_[left], rows[left]
                    loss, gradient = found.loss[left], found.gradient[left]
                else:
                    loss, gradient = found.loss, found.gradient
                distance = np.abs(loss) / np.maximum(dual.size(gradient), 1e-30)
                nearer = distance < best[open_]
                slope[open_[nearer]], best[open_[nearer]] = gradient[nearer], distance[nearer]
            if not open_.size:
                break
            length = np.where(np.isfinite(best[open_]), best[open_] + _BEYOND, 0.0)[:, None].astype(np.float32)
            r[open_] -= length * norm.steepest(slope[open_])
            d[open_] = oracle.within(begin[open_] + np.float32(1 + self.overshoot) * r[open_], attacked.rows[open_])
            attacked.tell(step + 1, self.steps, f"step {step + 1}")
        return Perturbations(d=d)

    def _boundaries(self, attacked: Attacked, rows: Rows) -> Sequence[Objective]:
        """f_k of these samples, the nearest by score first."""
        criterion = attacked.oracle.criterion
        if not isinstance(criterion, OtherClass) or criterion.wanted is not None:
            return [criterion.margin(rows)]
        head = criterion.said.said.head
        left = ClassScore(head.logits.value, criterion.left[rows], "logit", (), head)
        near = criterion.nearest(self.candidates - 1)[rows].T
        return [left - ClassScore(head.logits.value, one, "logit", (), head) for one in near]
