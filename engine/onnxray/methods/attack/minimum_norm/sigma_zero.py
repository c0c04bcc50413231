"""sigma-zero (Cina et al. 2025, arXiv 2402.01879): the fewest numbers changed.

    g   = grad [max(m(x_0 + d), 0) + (1 / N) sum_i u_i^2 / (u_i^2 + s)],   u = d / 255
    u  <- within(u - a_k Adam(g / max |g|)),   then u_i <- 0 where |u_i| < t
    t  <- t + 0.01 a_k where x_0 + d has arrived, else t - 0.01 a_k, between 0 and 1

with m the margin, N how many numbers there are, a_k falling as a cosine from ``step_size`` to a tenth of it. The one of
the fewest changed numbers that arrived is kept. Of a colour picture each channel of a pixel is a number of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np

from onnxray.methods.attack.adam import Adam
from onnxray.methods.attack.base import Attacked, Perturbations
from onnxray.methods.attack.smallest import Best, SmallestNorm
from onnxray.methods.attack.threat import NORMS, Norm
from onnxray.methods.option_checks import Range

_UNIT = 255.0
_SHARE = 0.01
"""Of the step size, by which the threshold moves."""


@final
@dataclass(frozen=True, kw_only=True)
class SigmaZero(SmallestNorm):
    """sigma-zero: the fewest numbers changed, by a smooth count of them and a threshold below which they go back."""

    name: ClassVar[str] = "sigma-zero"

    steps: Annotated[int, "gradients taken", Range(1, 100_000)] = 1000
    step_size: Annotated[float, "a at the start, of the range of pixels; it falls to a tenth", Range(1e-3, 10.0)] = 1.0
    sigma: Annotated[float, "s: the smaller, the sharper the count", Range(1e-9, 1.0)] = 1e-3
    threshold: Annotated[float, "t at the start, of the range of pixels", Range(0.0, 1.0)] = 0.3

    @property
    def measure(self) -> Norm:
        """L0."""
        return NORMS["l0"]

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, rows, norm = attacked.oracle, attacked.rows, self.measure
        d = np.zeros((len(rows), oracle.numbers), np.float32)
        best, adam = Best.none(*d.shape), Adam.none(*d.shape)
        threshold, rate = np.full(len(rows), self.threshold), self.step_size
        for step in range(self.steps):
            places = np.flatnonzero(oracle.left(rows, 2))
            if not places.size:
                break
            own, now = rows[places], d[places]
            slopes = oracle.slopes(now, own)
            arrived = slopes.margin < 0
            best.keep(places, now, norm.size(now), arrived)
            u = now / np.float32(_UNIT)
            counted = 2 * self.sigma * u / (u * u + self.sigma) ** 2 / oracle.numbers
            outside = (slopes.margin > 0)[:, None].astype(np.float32)
            gradient = np.asarray(outside * slopes.gradient * np.float32(_UNIT) + counted, np.float32)
            gradient /= np.maximum(NORMS["linf"].size(gradient), 1e-12)[:, None].astype(np.float32)
            moved = now - np.float32(_UNIT * rate) * adam.step(places, gradient, step + 1)[0]
            moved = oracle.within(moved, own)
            rate = self.step_size * (0.1 + 0.9 * (1 + math.cos(math.pi * step / self.steps)) / 2)
            threshold[places] += np.where(arrived, 1, -1) * _SHARE * rate
            threshold = np.clip(threshold, 0, 1)
            moved[np.abs(moved) < np.float32(_UNIT) * threshold[places, None].astype(np.float32)] = 0
            d[places] = moved
            attacked.tell(step + 1, self.steps, f"step {step + 1}")
        return Perturbations(d=best.d)
