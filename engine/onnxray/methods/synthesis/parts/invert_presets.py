"""The presets of an inversion: how the pre-image of a representation is looked for.

    x* = argmin_x  C ||f(x) - f_0||^2 / ||f_0||^2 + sum_k w_k R_k(x)

``plain``, ``tv1``, ``tv2`` and ``alpha-norm`` are ours: Adam on pixels within [0, 255]. The others are the published
ones, stated on images whose mean colour was subtracted; here that colour is the centre of their norms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxray.methods.synthesis.ascent.loop import Ascent
from onnxray.methods.synthesis.ascent.optimizers import Adam, DecayingAdaGrad, Momentum, Optimizer
from onnxray.methods.synthesis.ascent.parametrizations import Pixels
from onnxray.methods.synthesis.ascent.projections import Bounds, ColourNorm, Projection
from onnxray.methods.synthesis.ascent.regularizers import AlphaNorm, Regularizer, TotalVariation
from onnxray.methods.synthesis.ascent.transforms import Crop
from onnxray.methods.synthesis.parts.preset_names import InvertPreset
from onnxray.methods.synthesis.parts.recipe import (
    NATURAL_RATE,
    TYPICAL_LEVEL,
    TYPICAL_SLOPE,
    Recipe,
    Setting,
    natural_prior,
    typical_norm,
)


@dataclass(frozen=True, kw_only=True)
class InvertSetting(Setting):
    """What a preset is set by. depth: the share of the network before the layer, 0 to 1. stride: of the layer, pixels.

    jitter: None for the preset's own.
    """

    preset: InvertPreset
    depth: float
    stride: int
    jitter: int | None = None

    @property
    def window(self) -> int:
        """max(1, stride / 4): the positions of the jitter along a side (Mahendran & Vedaldi 2016); 1 is none."""
        if self.jitter is not None:
            return self.jitter + 1
        return 1 if self.preset in {"plain", "mahendran-2015"} else max(1, round(self.stride / 4))


def invert_recipe(setting: InvertSetting) -> Recipe:
    """The preset as ascents.

    Ours: Adam from 10 grey levels a step down to 0.5, over 40 % of 400 steps with jitter, then from 2.5 to 0.125
    without; all without, from 10 to 0.5, where there is no jitter. Priors by depth d:
    tv1: 0.005 * 40^d / (H W V) * TV_1;  tv2: 0.003 * 66^d / (H W V^2) * TV_2;  V = 80 / 6.5
    alpha-norm: 0.01 / (3 H W) * sum |(x - mean) / 80|^6
    """
    if setting.preset == "mahendran-2015":
        return _mahendran_2015(setting)
    if setting.preset == "mahendran-2016":
        return _mahendran_2016(setting)
    numbers = setting.shape[1] * setting.shape[2]
    priors: tuple[Regularizer, ...] = ()
    if setting.preset == "tv1":
        weight = setting.weight * 0.005 * 40**setting.depth
        priors = (TotalVariation(weight=weight, beta=1, scale=1 / (numbers * TYPICAL_SLOPE)),)
    elif setting.preset == "tv2":
        weight = setting.weight * 0.003 * 66**setting.depth
        priors = (TotalVariation(weight=weight, beta=2, scale=1 / (numbers * TYPICAL_SLOPE**2)),)
    elif setting.preset == "alpha-norm":
        scale = 1 / (3 * numbers * TYPICAL_LEVEL**6)
        priors = (AlphaNorm(weight=0.01 * setting.weight, alpha=6, centre=setting.mean, scale=scale),)
    steps, rate = setting.steps or 400, setting.rate or 10.0
    first = round(0.4 * steps) if setting.window > 1 else 0

    def stage(count: int, rate: float, window: int) -> Ascent:
        return _ascent(count, window, priors, (Bounds(),), Adam(learning_rate=rate, final=rate / 20))

    shaken = (stage(first, rate, setting.window),) if first else ()
    still = (stage(steps - first, rate / 4 if first else rate, 1),)
    return Recipe(stages=(*shaken, *still), factor=1.0, noise="faint")


def _mahendran_2015(setting: InvertSetting) -> Recipe:
    """(lambda_TV TV_2 + lambda_6 sum x^6) / (2 sigma^2), lambda_6 = 8e-10; momentum 0.9; 400 steps.

    lambda_TV: 1, 10, 100 for layers 1-6, 7-12, 13-20 of AlexNet's 20, here by the share of depth. Rates sigma^2 times
    0.004, 0.0004, 0.00004 over 100, 200 and 100 steps.
    """
    squared = typical_norm(int(np.prod(setting.shape))) ** 2
    smoothness = 1.0 if setting.depth <= 6 / 20 else 10.0 if setting.depth <= 12 / 20 else 100.0
    priors = (
        TotalVariation(weight=setting.weight * smoothness / 2 / squared, beta=2),
        AlphaNorm(weight=setting.weight * 8e-10 / 2 / squared, alpha=6, centre=setting.mean),
    )
    steps, rate = setting.steps or 400, setting.rate or 0.004
    early, late = max(1, steps // 4), max(1, 3 * steps // 4)
    schedule = ((rate * squared, early), (0.1 * rate * squared, late - early), (0.01 * rate * squared, steps - late))
    plan = _ascent(steps, setting.window, priors, (), Momentum(schedule=schedule, momentum=0.9))
    return Recipe(stages=(plan,), factor=1.0, noise="norm")


def _mahendran_2016(setting: InvertSetting) -> Recipe:
    """C = 300, R_alpha with alpha = 6 by pixel and R_TV with beta = 2, over H W; colour norm at most B+ = 160.

    AdaGrad with decay, rate 0.05 B^2 / alpha times H W; 300 steps with jitter, 50 at a tenth of the rate without. The
    papers' C is 1, 20, 100 or 300: ``weight`` 300, 15, 3 and 1. Between the two stages the image is clipped to
    [0, 255].
    """
    priors = natural_prior(setting)
    numbers = setting.shape[1] * setting.shape[2]
    steps, rate = setting.steps or 350, (setting.rate or NATURAL_RATE) * numbers
    box = (ColourNorm(most=2 * TYPICAL_LEVEL, centre=setting.mean),)
    first = max(1, round(steps * 300 / 350))

    def stage(count: int, rate: float, window: int) -> Ascent:
        return _ascent(count, window, priors, box, DecayingAdaGrad(schedule=((rate, count),)))

    still = (stage(steps - first, 0.1 * rate, 1),) if steps > first else ()
    return Recipe(stages=(stage(first, rate, setting.window), *still), factor=300.0, noise="uniform")


def _ascent(
    steps: int, window: int, priors: tuple[Regularizer, ...], box: tuple[Projection, ...], optimizer: Optimizer
) -> Ascent:
    return Ascent(
        steps=steps, parametrization=Pixels(), transforms=(Crop(pixels=window - 1),) if window > 1 else (),
        regularizers=priors, projections=box, optimizer=optimizer, keep="last" if window > 1 else "best",
    )  # fmt: skip
