"""SPSA, simultaneous perturbation stochastic approximation (Uesato, O'Donoghue, van den Oord, Kohli 2018, 1802.05666).

    u_i = +-1 each,   v(g) = m' / (sqrt(s') + 1e-8),   m <- .9 m + .1 g,   s <- .999 s + .001 g^2      (Adam)

m' and s' are m / (1 - .9^t) and s / (1 - .999^t) at step t, and 1e-8 is of the largest sqrt(s'), for margins have no
unit; under l2 v is brought to norm 1. The estimate and the step are those of estimated.py, the margin its loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnxray.methods.attack.score.estimated import EstimatedDescent
from onnxray.methods.attack.threat import Floats

_FIRST, _SECOND = np.float32(0.9), np.float32(0.999)


@final
@dataclass(frozen=True, kw_only=True)
class SPSA(EstimatedDescent):
    """Simultaneous perturbation stochastic approximation: Adam on gradients estimated by random signs."""

    name: ClassVar[str] = "spsa"

    def directions(self, random: np.random.Generator, numbers: int) -> Floats:
        """Signs."""
        return np.where(random.random((self.pairs, numbers), np.float32) < 0.5, np.float32(1), np.float32(-1))

    def followed(self, gradient: Floats, moments: Floats, step: int) -> Floats:
        """Adam's."""
        moments[0] += (1 - _FIRST) * (gradient - moments[0])
        moments[1] += (1 - _SECOND) * (gradient**2 - moments[1])
        mean, square = moments[0] / (1 - 0.9 ** (step + 1)), moments[1] / (1 - 0.999 ** (step + 1))
        found = mean / (np.sqrt(square) + 1e-8 * np.sqrt(square).max(1, keepdims=True) + 1e-30)
        return np.asarray(found if self.norm == "linf" else self.measure.steepest(found), np.float32)
