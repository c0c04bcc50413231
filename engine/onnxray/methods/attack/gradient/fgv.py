"""FGV, the fast gradient value (Rozsa, Rudd, Boult 2016, arXiv 1605.01775): the gradient itself, not its sign.

    x = round(clip(x_0 - s g / max |g|, 0, 255)),   g = grad L(x_0)

s is the smallest of a line search: 1, 2, 4, ... 1024 until the judge takes x, then the bracket before it is halved
until it is a sixteenth of a grey level wide. What the judge takes need not be one interval of s: a smaller s may have
been passed over between two that were tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np

from onnxray.methods.attack.base import Attack, Attacked, Perturbations
from onnxray.methods.attack.threat import NORMS, Floats, Norm
from onnxray.methods.variable import Rows
from onnxray.objectives.class_losses import LossName

_LARGEST = 1024.0
_FINEST = 1 / 16


@final
@dataclass(frozen=True, kw_only=True)
class FGV(Attack):
    """The fast gradient value: as far along one gradient as the class takes to change."""

    name: ClassVar[str] = "fgv"

    loss: Annotated[LossName, "what is gone down"] = "cross-entropy"

    @property
    def measure(self) -> Norm:
        """L2, which the gradient is the steepest step of."""
        return NORMS["l2"]

    @property
    def budget(self) -> float | None:
        """None: the smallest is looked for."""
        return None

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, rows = attacked.oracle, attacked.rows
        direction = np.zeros((len(rows), oracle.numbers), np.float32)
        asked = np.flatnonzero(oracle.left(rows, 2))
        if asked.size:
            gradient = oracle.slopes(direction[asked], rows[asked], self.loss).gradient
            direction[asked] = -gradient / np.maximum(NORMS["linf"].size(gradient), 1e-30)[:, None].astype(np.float32)
        attacked.tell(1, 2, "one gradient")

        def whole(d: Floats, rows: Rows) -> Floats:
            return oracle.rounded(d, rows, self.measure)

        saved = _searched(attacked, direction, whole)
        return Perturbations(d=_searched(attacked, direction, oracle.within) if self.float_ else saved, whole=saved)


def _searched(attacked: Attacked, direction: Floats, shaped: Callable[[Floats, Rows], Floats]) -> Floats:
    """``shaped(s direction)`` of the smallest s that the judge takes; 0 where it takes none."""
    oracle, rows = attacked.oracle, attacked.rows
    low, high, best = np.zeros(len(rows)), np.full(len(rows), np.inf), np.zeros_like(direction)
    while True:
        apart = np.where(np.isinf(high), low < _LARGEST, high - low > _FINEST)
        open_ = np.flatnonzero(apart & direction.any(1) & oracle.left(rows))
        if not open_.size:
            return best
        between = (low[open_] + np.minimum(high[open_], 1e30)) / 2
        s = np.where(np.isinf(high[open_]), np.maximum(2 * low[open_], 1), between)
        d = shaped(direction[open_] * s[:, None].astype(np.float32), rows[open_])
        met = oracle.met(d, rows[open_])
        best[open_[met]], high[open_[met]], low[open_[~met]] = d[met], s[met], s[~met]
