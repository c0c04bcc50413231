"""FMN, fast minimum norm (Pintor et al. 2021, arXiv 2102.12827).

    e <- max(||d|| + |m| / ||g||_*, (1 + y_k) e)    until x_0 + d has arrived for the first time, then
    e <- min((1 - y_k) e, ||best||) where x_0 + d has arrived, else (1 + y_k) e
    d <- within(project_e(d - a_k g / ||g||_2))

with m the margin, g = grad m, ||.||_* the dual norm; a_k falls as a cosine from ``step_size`` to a hundredth of it (by
default 255; under linf 2550, for 255 moves too few numbers as far as the budget: on LeNet 1.5 % more after 300 steps),
y_k from ``gamma`` to 0.001. Of l0 the budget is a count: min(e - 1, floor((1 - y) e), ||best||), else max(e + 1,
floor((1 + y) e)), from 1 on. The smallest d that arrived is kept.

Before the first arrival the paper's e is the first of the two alone: where pixels end at 0 and 255, of which the slope
knows nothing, it stops growing on this side of the boundary (adv_lib leaves 14 of 20 digits so, under l2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.base import Attacked, Perturbations
from onnxray.methods.attack.smallest import Best, SmallestNorm
from onnxray.methods.attack.threat import NORMS, Floats, Norm, NormName
from onnxray.methods.option_checks import Range

_DUAL: dict[str, NormName] = {"linf": "l1", "l2": "l2", "l1": "linf"}
_LAST_GAMMA = 0.001


@final
@dataclass(frozen=True, kw_only=True)
class FMN(SmallestNorm):
    """Fast minimum norm: the smallest linf, l2, l1 or l0, by a budget that follows the boundary."""

    name: ClassVar[str] = "fmn"

    norm: Annotated[NormName, "the norm that is kept small"] = "linf"
    step_size: Annotated[
        float | None,
        "a at the start, the L2 norm of a step in grey levels, which falls to a hundredth; default: 2550 under linf, "
        "else 255", Range(1e-3, 1e6),
    ] = None  # fmt: skip
    gamma: Annotated[float, "y at the start, by which the budget grows and shrinks a step", Range(1e-3, 0.9)] = 0.05

    @property
    def measure(self) -> Norm:
        """The norm of the options."""
        return NORMS[self.norm]

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, rows, norm = attacked.oracle, attacked.rows, self.measure
        low, high = oracle.bounds(rows)
        furthest = norm.size(np.maximum(-low, high))
        largest = self.step_size or (2550.0 if self.norm == "linf" else 255.0)
        d = np.zeros((len(rows), oracle.numbers), np.float32)
        best, eps = Best.none(*d.shape), np.full(len(rows), np.inf if self.norm != "l0" else 1.0)
        for step in range(self.steps):
            places = np.flatnonzero(oracle.left(rows, 2))
            if not places.size:
                break
            own, now = rows[places], d[places]
            slopes = oracle.slopes(now, own)
            arrived, size = slopes.margin < 0, norm.size(now)
            best.keep(places, now, size, arrived)
            cosine = (1 + math.cos(math.pi * step / self.steps)) / 2
            gamma = _LAST_GAMMA + (self.gamma - _LAST_GAMMA) * cosine
            if self.norm == "l0":
                grown = _counted(eps[places], gamma, arrived, best.size[places])
            else:
                slope = np.maximum(NORMS[_DUAL[self.norm]].size(slopes.gradient), 1e-30)
                wider = np.where(np.isfinite(eps[places]), eps[places] * (1 + gamma), 0.0)
                ahead = np.maximum(wider, size + np.abs(slopes.margin) / slope)
                outside = np.where(np.isfinite(best.size[places]), wider, ahead)
                grown = np.where(arrived, np.minimum(eps[places] * (1 - gamma), best.size[places]), outside)
            eps[places] = np.minimum(grown, furthest[places])
            rate = np.float32(largest * (0.01 + 0.99 * cosine))
            moved = norm.project(now - rate * NORMS["l2"].steepest(slopes.gradient), eps[places])
            d[places] = oracle.within(moved, own)
            attacked.tell(step + 1, self.steps, f"step {step + 1}")
        return Perturbations(d=best.d)


def _counted(eps: Floats, gamma: float, arrived: NDArray[np.bool_], best: NDArray[np.float64]) -> NDArray[np.float64]:
    """The next budget of l0."""
    fewer = np.minimum(np.minimum(eps - 1, np.floor(eps * (1 - gamma))), best)
    more = np.maximum(eps + 1, np.floor(eps * (1 + gamma)))
    return np.asarray(np.maximum(np.where(arrived, fewer, more), 0.0))
