"""Adam (Kingma, Ba 2015, arXiv 1412.6980) for n samples at once, each with moments of its own.

m <- 0.9 m + 0.1 g,   s <- 0.999 s + 0.001 g^2,   step = rate (m / (1 - 0.9^k)) / (sqrt(s / (1 - 0.999^k)) + 1e-8)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxray.methods.attack.threat import Floats
from onnxray.methods.variable import Rows

_MEAN, _SQUARE, _LEAST = 0.9, 0.999, 1e-8


@dataclass(frozen=True, eq=False)
class Adam:
    """mean, square: (n, numbers), the moments so far."""

    mean: Floats
    square: Floats

    @classmethod
    def none(cls, count: int, numbers: int) -> Adam:
        """Before the first step."""
        return cls(*np.zeros((2, count, numbers), np.float32))

    def step(self, places: Rows, gradient: Floats, taken: int) -> tuple[Floats, Floats]:
        """What is gone down with rate 1, and what the mean was divided by for it. taken: k, this step among them."""
        self.mean[places] = mean = np.float32(_MEAN) * self.mean[places] + np.float32(1 - _MEAN) * gradient
        self.square[places] = square = (
            np.float32(_SQUARE) * self.square[places] + np.float32(1 - _SQUARE) * gradient * gradient
        )
        divisor = np.sqrt(square) / np.float32(np.sqrt(1 - _SQUARE**taken)) + np.float32(_LEAST)
        return mean / (np.float32(1 - _MEAN**taken) * divisor), divisor
