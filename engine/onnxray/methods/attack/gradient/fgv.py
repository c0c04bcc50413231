"""FGV, the fast gradient value (Rozsa, Rudd, Boult 2016, arXiv 1605.01775): the gradient itself, not its sign.

    d = -grad L(x_0)

The smallest scale along d is looked for (line_search.py); ``beyond`` makes hard positives of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np

from onnxray.methods.attack.along import AlongDirection
from onnxray.methods.attack.base import Attacked
from onnxray.methods.attack.threat import Floats
from onnxray.objectives.class_losses import LossName


@final
@dataclass(frozen=True, kw_only=True)
class FGV(AlongDirection):
    """The fast gradient value: as far along one gradient as the class takes to change."""

    name: ClassVar[str] = "fgv"

    loss: Annotated[LossName, "what is gone down"] = "cross-entropy"

    def directions(self, attacked: Attacked) -> Floats:
        """The formula at the top of the file."""
        oracle, rows = attacked.oracle, attacked.rows
        found = np.zeros((len(rows), oracle.numbers), np.float32)
        asked = np.flatnonzero(oracle.left(rows, 2))
        if asked.size:
            found[asked] = -oracle.slopes(found[asked], rows[asked], self.loss).gradient
        return found
