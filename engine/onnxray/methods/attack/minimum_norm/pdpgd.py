"""PDPGD, primal-dual proximal gradient descent (Matyasko, Chau 2021, arXiv 2106.01538).

    u <- within(u - a_k Adam(grad softplus(m))),   then u <- within(prox_{h ||.||}(u - (s / max s) (u - u_k)))  5 times
    l <- l + b_k sign m,    (w_0, w_1) <- 0.9 w + 0.1 softmax(0, l),    h = (w_0 / w_1) a_k / max s

of u = d / 255, with m the margin, s what Adam divides by, u_k what Adam gave. a_k falls from ``step_size`` to a
hundredth of it, b_k from 0.1 to 0.01. The proximal step of a norm is v - project_h(v) onto the ball of its dual: of l1
each number goes h towards 0. The smallest d that arrived is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.adam import Adam
from onnxray.methods.attack.base import Attacked, Perturbations
from onnxray.methods.attack.oracle import Oracle
from onnxray.methods.attack.smallest import Best, SmallestNorm
from onnxray.methods.attack.threat import NORMS, Floats, Norm, NormName
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows

_DUAL: dict[str, NormName] = {"linf": "l1", "l2": "l2", "l1": "linf"}
_UNIT = np.float32(255)
_ONE_OF_ALL = 0.01
"""w_0 / w_1 at the start."""
_BETWEEN = math.log(1e6)
"""The largest |l|."""
_MEMORY = 0.9
_PROXIMAL_STEPS = 5
_STILL = 0.01
"""Of its own length, by which a proximal step has to move u for another to be taken."""


@final
@dataclass(frozen=True, kw_only=True)
class PDPGD(SmallestNorm):
    """Primal-dual proximal gradient descent: the smallest l1, l2 or linf, shrunk after every step."""

    name: ClassVar[str] = "pdpgd"

    norm: Annotated[Literal["l1", "l2", "linf"], "the norm that is kept small"] = "l1"
    steps: Annotated[int, "gradients taken", Range(2, 100_000)] = 500
    step_size: Annotated[
        float, "a at the start, of the range of pixels; it falls to a hundredth", Range(1e-6, 10.0)
    ] = 0.1  # fmt: skip
    weight_step: Annotated[float, "b at the start; it falls to a tenth", Range(1e-6, 10.0)] = 0.1

    @property
    def measure(self) -> Norm:
        """The norm of the options."""
        return NORMS[self.norm]

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, rows, norm = attacked.oracle, attacked.rows, self.measure
        u = np.zeros((len(rows), oracle.numbers), np.float32)
        best, adam = Best.none(*u.shape), Adam.none(*u.shape)
        leaning = np.full(len(rows), -math.log(_ONE_OF_ALL))
        weight = _softmax(leaning)
        for step in range(self.steps):
            places = np.flatnonzero(oracle.left(rows, 2))
            if not places.size:
                break
            own, d = rows[places], u[places] * _UNIT
            slopes = oracle.slopes(d, own)
            best.keep(places, d, norm.size(d), slopes.margin < 0)
            pull = 1 / (1 + np.exp(-np.clip(slopes.margin, -80, 80)))  # the slope of softplus
            gradient = slopes.gradient * _UNIT * pull[:, None].astype(np.float32)
            rate = self.step_size * 0.01 ** (step / self.steps)
            moved, divisor = adam.step(places, gradient, step + 1)
            after = _inside(oracle, u[places] - np.float32(rate) * moved, own)
            strength = (1 - weight[places]) / weight[places] * rate / divisor.max(1)
            u[places] = self._shrunk(oracle, after, divisor, strength, own)
            share = (self.steps - 1 - step) / (self.steps - 1)
            leaning[places] += np.sign(slopes.margin) * self.weight_step * (0.1 + 0.9 * share)
            leaning = np.clip(leaning, -_BETWEEN, _BETWEEN)
            weight[places] = _MEMORY * weight[places] + (1 - _MEMORY) * _softmax(leaning[places])
            attacked.tell(step + 1, self.steps, f"step {step + 1}")
        return Perturbations(d=best.d)

    def _shrunk(
        self, oracle: Oracle, after: Floats, divisor: Floats, strength: NDArray[np.float64], rows: Rows
    ) -> Floats:
        """Proximal steps in the metric of Adam (Melchior et al. 2019, arXiv 1910.10094)."""
        found, open_ = after.copy(), np.arange(len(rows))
        share, dual = divisor / divisor.max(1, keepdims=True), NORMS[_DUAL[self.norm]]
        for _ in range(_PROXIMAL_STEPS):
            now = found[open_]
            v = now - share[open_] * (now - after[open_])
            less = _inside(oracle, v - dual.project(v, strength[open_]), rows[open_])
            found[open_] = less
            length = np.maximum(NORMS["l2"].size(less), 1e-30)
            open_ = open_[NORMS["l2"].size(less - now) > _STILL * length]
            if not open_.size:
                break
        return found


def _inside(oracle: Oracle, u: Floats, rows: Rows) -> Floats:
    return oracle.within(u * _UNIT, rows) / _UNIT


def _softmax(leaning: NDArray[np.float64]) -> NDArray[np.float64]:
    """w_1 of (0, l)."""
    return np.asarray(1 / (1 + np.exp(-leaning)))
