"""NES, natural evolution strategies (Ilyas, Engstrom, Athalye, Lin 2018, arXiv 1804.08598).

    u ~ N(0, I) in pairs +u, -u,   v(g) = steepest(g): its sign under linf, its direction under l2

The estimate and the step are those of estimated.py, the margin its loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnxray.methods.attack.score.estimated import EstimatedDescent
from onnxray.methods.attack.threat import Floats


@final
@dataclass(frozen=True, kw_only=True)
class NES(EstimatedDescent):
    """Natural evolution strategies: projected descent along gradients estimated by Gaussian directions."""

    name: ClassVar[str] = "nes"

    def directions(self, random: np.random.Generator, numbers: int) -> Floats:
        """Gaussian."""
        return random.standard_normal((self.pairs, numbers), np.float32)

    def followed(self, gradient: Floats, moments: Floats, step: int) -> Floats:
        """Its steepest direction."""
        return self.measure.steepest(gradient)
