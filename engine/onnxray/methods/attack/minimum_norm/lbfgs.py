"""Box-constrained L-BFGS (Szegedy et al. 2013, arXiv 1312.6199), the first attack that was published.

    min_u  ||u||^2 + c L(x_0 + 255 u)   such that x_0 + 255 u lies in [0, 255]

L = -log p_t of the class t, the wanted one or else the one that came second at x_0; of a comparison softplus of its
margin. The paper's weight stands before the norm, here it stands before the loss: c begins at ``constant``, is
multiplied by 10 until t is reached, and is then bisected, on a scale of logarithms. Each c begins at x_0 again. Of all
points that were looked at the smallest that arrived is kept. In float64, with the gradient handed over, and tolerances
below those of a float32 network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.base import Attacked, Perturbations
from onnxray.methods.attack.oracle import Spent
from onnxray.methods.attack.smallest import Best, SmallestNorm
from onnxray.methods.attack.success import Criterion, OtherClass
from onnxray.methods.attack.threat import NORMS, Norm
from onnxray.methods.option_checks import Range

_UNIT = 255.0


@final
@dataclass(frozen=True, kw_only=True)
class LBFGS(SmallestNorm):
    """Box-constrained L-BFGS: the smallest L2 towards a class, by scipy, one image after the other."""

    name: ClassVar[str] = "lbfgs"

    steps: Annotated[int, "iterations of L-BFGS, for each constant", Range(1, 100_000)] = 150
    constants: Annotated[int, "constants c tried", Range(1, 100)] = 12
    constant: Annotated[float, "c at the start", Range(1e-9, 1e9)] = 0.01
    pairs: Annotated[int, "pairs of steps and gradients that are remembered", Range(1, 1000)] = 15

    @property
    def measure(self) -> Norm:
        """L2."""
        return NORMS["l2"]

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        best = Best.none(len(attacked), attacked.oracle.numbers)
        criterion = attacked.oracle.criterion
        if isinstance(criterion, OtherClass) and criterion.wanted is None:
            criterion = criterion.towards(criterion.nearest(1)[:, 0])
        for place in range(len(attacked)):
            try:
                self._weighed(attacked, criterion, place, best)
            except Spent:
                continue
            finally:
                attacked.tell(place + 1, len(attacked), f"sample {place + 1}")
        return Perturbations(d=best.d)

    def _weighed(self, attacked: Attacked, criterion: Criterion, place: int, best: Best) -> None:
        """All constants of one sample."""
        from scipy.optimize import minimize

        oracle, rows, one = attacked.oracle, attacked.rows[place : place + 1], np.array([place])
        bounds = np.stack([end[0].astype(np.float64) / _UNIT for end in oracle.bounds(rows)], axis=1)
        loss, classes = criterion.loss("cross-entropy", rows), isinstance(criterion, OtherClass)
        arrived = False

        def asked(u: NDArray[np.float64], c: float) -> tuple[float, Any]:
            nonlocal arrived
            d = np.asarray(_UNIT * u[None], np.float32)
            slopes = oracle.slopes_while_left(d, rows, loss)
            there = slopes.margin < 0
            arrived = arrived or bool(there[0])
            best.keep(one, d, self.measure.size(d), there)
            value, slope = float(slopes.loss[0]), 1.0
            if not classes:
                value, slope = float(np.logaddexp(0, value)), float(1 / (1 + np.exp(-np.clip(value, -80, 80))))
            return float(u @ u) + c * value, 2 * u + c * slope * _UNIT * slopes.gradient[0].astype(np.float64)

        c, low, high = self.constant, 0.0, np.inf
        options = {"maxiter": self.steps, "maxcor": self.pairs, "ftol": 1e-12, "gtol": 1e-9}
        for _ in range(self.constants):
            arrived = False
            minimize(asked, np.zeros(len(bounds)), (c,), "L-BFGS-B", jac=True, bounds=bounds, options=options)
            low, high = (low, c) if arrived else (c, high)
            c = 10 * c if np.isinf(high) else np.sqrt(low * high) if low else high / 10
