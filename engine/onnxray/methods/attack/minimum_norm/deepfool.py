"""DeepFool (Moosavi-Dezfooli et al. 2016, arXiv 1511.04599): over the nearest boundary, as if all of them were flat.

    f_k = z_y - z_k,   w_k = grad f_k at x_0 + (1 + o) r,   k* = argmin_k |f_k| / ||w_k||_*
    r <- r - (|f_k*| / ||w_k*||_* + 1e-4) steepest(w_k*)      until x_0 + (1 + o) r, kept in [0, 255], has arrived

||.||_* is the dual norm, steepest(w) = w / ||w||_2 under l2 and sign w under linf; 1e-4 is of the range of pixels. The
classes k are the ``candidates`` that came first at x_0. Towards one class, or over a number, f is the margin alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.base import Attacked, Perturbations, group_size
from onnxray.methods.attack.smallest import SmallestNorm
from onnxray.methods.attack.success import Criterion, OtherClass
from onnxray.methods.attack.threat import NORMS, Floats, Norm
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows
from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.objective import Objective

_BEYOND = 0.0255
"""1e-4 of 255 grey levels: what a step goes beyond the flat boundary."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Walk:
    """Where a walk has led: d (n, numbers) within what samples may hold, r (n, numbers) the steps with the overshoot,
    before they were cut off there, arrived (n,) whether a step ended over the boundary, by the twin.
    """

    d: Floats
    r: Floats
    arrived: NDArray[np.bool_]


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
        return Perturbations(d=self.walk(attacked, self._nearest(attacked)).d)

    def walk(self, attacked: Attacked, near: NDArray[np.int64] | None) -> Walk:
        """The steps themselves, from where the samples begin.

        near: (n, k) the classes of each that are looked at; None where the margin is the one boundary there is.
        """
        oracle, norm, dual = attacked.oracle, self.measure, NORMS["l2" if self.norm == "l2" else "l1"]
        begin = np.zeros((len(attacked), oracle.numbers), np.float32) if attacked.start is None else attacked.start
        d, r = oracle.within(begin, attacked.rows), np.zeros_like(begin)
        open_, count = np.arange(len(attacked)), 1 if near is None else near.shape[1]
        arrived = np.zeros(len(attacked), bool)
        for step in range(self.steps):
            open_ = open_[oracle.left(attacked.rows[open_], 2 * count)]
            if not open_.size:
                break
            best = np.full(len(attacked), np.inf)
            slope = np.zeros_like(d)
            for places in _passes(count, len(open_), oracle.numbers):
                if not open_.size:
                    break
                several = len(places)  # boundaries that share a pass
                each, rows = np.repeat(d[open_], several, 0), np.repeat(attacked.rows[open_], several)
                other = None if near is None else near[open_][:, places].reshape(-1)
                found = oracle.slopes_of(each, rows, _boundary(oracle.criterion, rows, other))
                loss, gradient = (part.reshape(len(open_), several, -1) for part in (found.loss, found.gradient))
                if places[0] == 0:  # the margin, which says who is done, comes with each of them
                    left = found.margin >= 0
                    arrived[open_[~left]] = True
                    open_, loss, gradient = open_[left], loss[left], gradient[left]
                for place in range(several):
                    distance = np.abs(loss[:, place, 0]) / np.maximum(dual.size(gradient[:, place]), 1e-30)
                    nearer = distance < best[open_]
                    slope[open_[nearer]], best[open_[nearer]] = gradient[nearer, place], distance[nearer]
            if not open_.size:
                break
            length = np.where(np.isfinite(best[open_]), best[open_] + _BEYOND, 0.0)[:, None].astype(np.float32)
            r[open_] -= length * norm.steepest(slope[open_])
            d[open_] = oracle.within(begin[open_] + np.float32(1 + self.overshoot) * r[open_], attacked.rows[open_])
            attacked.tell(step + 1, self.steps, f"step {step + 1}")
        return Walk(d=d, r=np.float32(1 + self.overshoot) * r, arrived=arrived)

    def _nearest(self, attacked: Attacked) -> NDArray[np.int64] | None:
        """The classes of each sample that are looked at, the nearest by score first."""
        criterion = attacked.oracle.criterion
        if not isinstance(criterion, OtherClass) or criterion.wanted is not None:
            return None
        return criterion.nearest(self.candidates - 1)[attacked.rows]


def _passes(count: int, samples: int, numbers: int) -> Iterator[range]:
    """The boundaries that are looked at together: the first alone, the others as many at once as a group may hold."""
    yield range(1)
    size = max(1, group_size(numbers) // max(1, samples))
    for start in range(1, count, size):
        yield range(start, min(start + size, count))


def _boundary(criterion: Criterion, rows: Rows, other: NDArray[np.int64] | None) -> Objective:
    """f_k of these samples, k the other class of each."""
    if other is None or not isinstance(criterion, OtherClass):
        return criterion.margin(rows)
    head = criterion.said.said.head
    left, right = (
        ClassScore(head.logits.value, classes, "logit", (), head) for classes in (criterion.left[rows], other)
    )
    return left - right
