"""FGS, the fast gradient sign (Goodfellow, Shlens, Szegedy 2015, arXiv 1412.6572).

    d = -eps steepest(grad L(x_0)),   x = clip(x_0 + d, 0, 255)

L is the loss that is gone down (objectives/class_losses.py; of cross-entropy -log p_y untargeted is gone up, log p_t
towards t); steepest is the sign under linf, the gradient's direction under l2 (FGM). One gradient, one budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np

from onnxray.methods.attack.base import Attacked, Perturbations, WithinBudget
from onnxray.objectives.class_losses import LossName


@final
@dataclass(frozen=True, kw_only=True)
class FGSM(WithinBudget):
    """The fast gradient sign: one step of the whole budget down the loss."""

    name: ClassVar[str] = "fgsm"

    loss: Annotated[LossName, "what is gone down"] = "cross-entropy"

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, rows = attacked.oracle, attacked.rows
        slopes = oracle.slopes(np.zeros((len(rows), oracle.numbers), np.float32), rows, self.loss)
        step = self.measure.steepest(slopes.gradient) * -attacked.eps[:, None].astype(np.float32)
        attacked.tell(1, 1, "one gradient")
        return Perturbations(d=oracle.within(step, rows))
