"""DDN, decoupled direction and norm (Rony et al. 2019, arXiv 1811.09600).

    d <- d - a_k g / ||g||,   e <- (1 - y) e where x_0 + d has arrived, else (1 + y) e,   d <- e d / ||d||

with g = grad L(x_0 + d), a_k falling as a cosine from 255 to 2.55 grey levels, and x_0 + d brought to whole grey levels
within [0, 255] at each step (``levels``), so that what is found survives being saved. e never exceeds the norm of the
furthest corner. The smallest d that arrived is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np

from onnxray.methods.attack.base import Attacked, Perturbations
from onnxray.methods.attack.smallest import Best, SmallestNorm
from onnxray.methods.attack.threat import NORMS, Floats, Norm
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows
from onnxray.objectives.class_losses import LossName


@final
@dataclass(frozen=True, kw_only=True)
class DDN(SmallestNorm):
    """Decoupled direction and norm: the smallest L2, on whole grey levels all the way."""

    name: ClassVar[str] = "ddn"

    gamma: Annotated[float, "y, by which the norm grows and shrinks a step", Range(1e-4, 0.9)] = 0.05
    start_norm: Annotated[float, "e at the start, in grey levels", Range(1e-3, 1e6)] = 255.0
    levels: Annotated[bool, "whether each iterate is brought to whole grey levels"] = True
    loss: Annotated[LossName, "what is gone down"] = "cross-entropy"

    @property
    def measure(self) -> Norm:
        """L2."""
        return NORMS["l2"]

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, rows, norm = attacked.oracle, attacked.rows, self.measure
        low, high = oracle.bounds(rows)
        furthest = norm.size(np.maximum(-low, high))
        d = np.zeros((len(rows), oracle.numbers), np.float32)
        best = Best.none(*d.shape)
        size = np.full(len(rows), self.start_norm)
        for step in range(self.steps):
            places = np.flatnonzero(oracle.left(rows, 2))
            if not places.size:
                break
            own = rows[places]
            slopes = oracle.slopes(d[places], own, self.loss)
            arrived, length = slopes.margin < 0, norm.size(d[places])
            best.keep(places, d[places], length, arrived)
            direction = self._directions(attacked, places, slopes.gradient)
            rate = 255 * (0.01 + 0.99 * (1 + math.cos(math.pi * step / self.steps)) / 2)
            moved = d[places] - np.float32(rate) * direction
            grown = size[places] * np.where(arrived, 1 - self.gamma, 1 + self.gamma)
            size[places] = np.minimum(grown, furthest[places])
            share = size[places] / np.maximum(norm.size(moved), 1e-30)
            d[places] = oracle.within(moved * share[:, None].astype(np.float32), own)
            if self.levels:
                d[places] = oracle.rounded(d[places], own, norm)
            attacked.tell(step + 1, self.steps, f"step {step + 1}")
        return Perturbations(d=best.d)

    def _directions(self, attacked: Attacked, places: Rows, gradient: Floats) -> Floats:
        """g / ||g||; any direction where it is zero."""
        for k in np.flatnonzero(~gradient.any(1)).tolist():
            gradient[k] = attacked.random[int(places[k])].standard_normal(gradient.shape[1])
        return self.measure.steepest(gradient)
