"""What presets have in common: what sets them, what they come to, the noise they begin from, the natural prior.

B = 80, V = B / 6.5: the grey levels and slopes of typical images about their mean colour
R = 1/(HW) sum_px (||x_px - mean|| / B)^6 + 1/(HW V^2) sum (dx)^2 + (dy)^2      (Mahendran & Vedaldi 2016)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.synthesis.ascent.loop import Ascent
from onnxray.methods.synthesis.ascent.regularizers import AlphaNorm, Regularizer, TotalVariation

TYPICAL_LEVEL = 80.0
"""B: how far a typical image goes from its mean colour, in grey levels; a colour norm may be twice that."""
TYPICAL_SLOPE = TYPICAL_LEVEL / 6.5
"""V, in grey levels a pixel."""
NATURAL_RATE = 0.05 * TYPICAL_LEVEL**2 / 6
"""DecayingAdaGrad's rate under the prior R, which is to be multiplied by H W."""
_NORM = 27098.1157 / (3 * 227 * 227) ** 0.5
"""The 2015 paper's norm of a typical mean-subtracted image, by the root of its 3 x 227 x 227 numbers."""

Noise = Literal["none", "normal", "grey", "faint", "norm", "uniform"]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What every preset is set by; steps, rate: None for the preset's own. weight: a factor on its prior.

    shape: (C, H, W) of the model's images. mean: of its profile, in grey levels.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    steps: int | None = None
    rate: float | None = None
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Ascents one after the other, each from the last one's result, the factor C on their objective, and their start.

    noise: None for the parametrisation's own; see ``start``. divides: whether the target is to be divided by its
    largest value on photographs.
    """

    stages: tuple[Ascent, ...]
    factor: float = 1.0
    divides: bool = False
    noise: Noise | None = None

    def start(self, setting: Setting, count: int, random: np.random.Generator) -> NDArray[np.float32] | None:
        """Noise about the mean colour, the size of the first canvas, (count, C, H, W), in grey levels.

        none: the mean colour. faint: plus N(0, 10^2). normal: the same, within [0, 255]. norm: plus N(0, 1) scaled to
        the norm of a typical image (2015). uniform: plus U(-1, 1) over the 0.95 quantile of its size, times B / sqrt(3)
        (2016). grey: N(175, 8^2).
        """
        if self.noise is None:
            return None
        margin = self.stages[0].margin
        shape = (count, setting.shape[0], setting.shape[1] + margin, setting.shape[2] + margin)
        mean = np.broadcast_to(np.reshape(setting.mean, (1, -1, 1, 1)), shape)
        return _STARTS[self.noise](mean, random).astype(np.float32)


def natural_prior(setting: Setting) -> tuple[Regularizer, ...]:
    """R, times the setting's weight."""
    numbers = setting.shape[1] * setting.shape[2]
    return (
        AlphaNorm(
            weight=setting.weight, alpha=6, centre=setting.mean, scale=1 / (numbers * TYPICAL_LEVEL**6), by_pixel=True
        ),
        TotalVariation(weight=setting.weight, beta=2, scale=1 / (numbers * TYPICAL_SLOPE**2)),
    )


def typical_norm(numbers: int) -> float:
    """sigma: the norm of a typical image of so many numbers about its mean colour, in grey levels."""
    return _NORM * math.sqrt(numbers)


def _of_norm(mean: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    noise = 10 * random.standard_normal(mean.shape)
    norms = np.linalg.norm(noise.reshape(len(noise), -1), axis=1)
    noise *= (typical_norm(noise[0].size) / norms).reshape(-1, 1, 1, 1)
    return mean + noise


def _uniform(mean: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    noise = random.uniform(-1, 1, mean.shape)
    size = np.quantile(np.abs(noise).reshape(len(noise), -1), 0.95, axis=1)
    return mean + noise * (TYPICAL_LEVEL / 3**0.5 / size).reshape(-1, 1, 1, 1)


_STARTS: Mapping[Noise, Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]]] = {
    "none": lambda mean, _: mean,
    "faint": lambda mean, random: mean + 10 * random.standard_normal(mean.shape),
    "normal": lambda mean, random: np.clip(mean + 10 * random.standard_normal(mean.shape), 0, 255),
    "norm": _of_norm,
    "uniform": _uniform,
    "grey": lambda mean, random: 175 + 8 * random.standard_normal(mean.shape),
}
