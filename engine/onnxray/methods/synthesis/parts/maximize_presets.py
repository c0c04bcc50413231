"""The presets of activation maximisation: how the image that a target answers to most is looked for.

    x* = argmax_x  C E_T[ a(f(T(x))) ] - sum_k w_k R_k(x)

The published ones are stated on images whose mean colour was subtracted; here that colour is the centre of their norms,
and x is in grey levels. Rates of Yosinski et al. are those of networks that are fed grey levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onnxray.errors import InputError
from onnxray.methods.synthesis.ascent.loop import Ascent
from onnxray.methods.synthesis.ascent.optimizers import Adam, DecayingAdaGrad, Momentum, Normalized, Optimizer, Progress
from onnxray.methods.synthesis.ascent.parametrizations import Fourier, Parametrization, Pixels
from onnxray.methods.synthesis.ascent.projections import (
    Blur,
    Bounds,
    ColourNorm,
    Decay,
    Projection,
    SmallContribution,
    SmallNorm,
)
from onnxray.methods.synthesis.ascent.regularizers import AlphaNorm
from onnxray.methods.synthesis.ascent.transforms import Crop, Similarity
from onnxray.methods.synthesis.ascent.zoom_schedules import CENTRE_BIAS, FROM_A_MEAN, zooming
from onnxray.methods.synthesis.parts.preset_names import MaximizePreset
from onnxray.methods.synthesis.parts.recipe import NATURAL_RATE, TYPICAL_LEVEL, Recipe, Setting, natural_prior
from onnxray.objectives.class_score import Score

GENERATED = ("dgn-am", "ppgn")
"""Presets that vary the code of a generator."""

SCORES: Mapping[str, tuple[Score, ...]] = {
    "ppgn": ("log-probability",),
    "centre-bias": ("log-probability", "log-probability", "logit", "logit", "logit"),
    "multifaceted": ("logit", "logit", "logit", "logit"),
}
"""What each stage of a preset scores a class by; the logit in those that are not named. The authors of the centre bias
climb the probability: its gradient has the direction of its logarithm's, which does not vanish, and is normalised."""

_JITTER = 8


@dataclass(frozen=True, kw_only=True)
class MaximizeSetting(Setting):
    """What a preset is set by. generator: the parametrisation of ``dgn-am`` and ``ppgn``."""

    preset: MaximizePreset
    generator: Parametrization | None = None


def maximize_recipe(setting: MaximizeSetting) -> Recipe:
    """The preset as ascents. Errors: InputError where ``dgn-am`` or ``ppgn`` has no generator, or another preset has.

    lucid (Olah et al. 2017): Fourier, decorrelated colours, standard transforms, Adam 0.05, 512 steps, the rectifiers'
    gradient redirected for 16.
    plain: pixels alone, within [0, 255]: Adam 1 grey level, 512 steps from N(mean, 10^2). Nothing regularises it.
    simonyan (Simonyan et al. 2013): - lambda ||x - mean||_2^2 from the mean image; lambda, rate and steps were not
    published: 10 / (C H W B^2), 2 grey levels falling to 0.5 by the mean of |g|, 200 steps are ours.
    mahendran (Mahendran & Vedaldi 2016): C = 100^2 / (H W) over the target's largest value on photographs, R_alpha with
    alpha 6 by pixel, R_TV with beta 2, colour norm at most 160, jitter of a quarter of 32 pixels, 300 steps of decaying
    AdaGrad.
    dgn-am (Nguyen et al. 2016): the code of a generator, 200 steps along g / mean|g|, from 8 to 1e-10.
    ppgn (Nguyen et al. 2017): the same with a drift towards E(G(h)), 200 steps of 1; see generator_code.py. Their code
    keeps of dlog p / dh the class's own term alone, a rescaled gradient of the logit; here it is whole. Their first
    codes are not within the limits; here they are.
    centre-bias, multifaceted (Nguyen et al. 2016): see zoom_schedules.py, image_kinds.py; a facet starts the latter.
    """
    steps = setting.steps
    if (setting.preset in GENERATED) != (setting.generator is not None):
        known = " and ".join(GENERATED)
        raise InputError(
            f"the presets {known} and a generator belong together: --preset dgn-am --generator FILE; the preset is "
            f"{setting.preset}"
        )
    if setting.generator is not None:
        first = setting.rate or (8.0 if setting.preset == "dgn-am" else 1.0)
        pace = Normalized(start=first, end=1e-10 if setting.preset == "dgn-am" else first, norm="mean")
        return Recipe(stages=(Ascent(steps=steps or 200, parametrization=setting.generator, optimizer=pace),))
    if setting.preset == "centre-bias":
        return Recipe(stages=zooming(CENTRE_BIAS, setting.shape[1:], steps, setting.rate, setting.weight), noise="grey")
    if setting.preset == "multifaceted":
        return Recipe(stages=zooming(FROM_A_MEAN, setting.shape[1:], steps, setting.rate, setting.weight))
    if setting.preset == "lucid":
        optimizer: Optimizer = Adam(learning_rate=setting.rate or 0.05)
        return Recipe(
            stages=(
                Ascent(
                    steps=steps or 512, parametrization=Fourier(), transforms=(Similarity(),), optimizer=optimizer,
                    redirected=16,
                ),
            )
        )  # fmt: skip
    if setting.preset == "plain":
        optimizer = Adam(learning_rate=setting.rate or 1.0)
        plan = Ascent(steps=steps or 512, parametrization=Pixels(), projections=(Bounds(),), optimizer=optimizer)
        return Recipe(stages=(plan,), noise="normal")
    if setting.preset == "simonyan":
        scale = 1 / (np.prod(setting.shape) * TYPICAL_LEVEL**2)
        prior = AlphaNorm(weight=10 * setting.weight, alpha=2, centre=setting.mean, scale=float(scale))
        rate = setting.rate or 2.0
        optimizer = Normalized(start=rate, end=rate / 4, norm="mean")
        plan = Ascent(steps=steps or 200, parametrization=Pixels(), regularizers=(prior,), optimizer=optimizer)
        return Recipe(stages=(plan,), noise="none")
    if setting.preset == "mahendran":
        return _mahendran(setting)
    return _yosinski(setting)


def _mahendran(setting: MaximizeSetting) -> Recipe:
    numbers = setting.shape[1] * setting.shape[2]
    steps = setting.steps or 300
    rate = (setting.rate or NATURAL_RATE) * numbers
    plan = Ascent(
        steps=steps, parametrization=Pixels(), transforms=(Crop(pixels=_JITTER - 1),),
        regularizers=natural_prior(setting),
        projections=(ColourNorm(most=2 * TYPICAL_LEVEL, centre=setting.mean),),
        optimizer=DecayingAdaGrad(schedule=((rate, steps),)),
    )  # fmt: skip
    return Recipe(stages=(plan,), factor=100**2 / numbers, divides=True, noise="uniform")


def _yosinski(setting: MaximizeSetting) -> Recipe:
    """Yosinski et al. 2015, table 1: step, decay, blur, small norm, small contribution, clip; the best image is kept.

    ====  ======  ====  =====  ==============  =====  =========================
    set   decay   blur  every  percentile      steps  rate
    ====  ======  ====  =====  ==============  =====  =========================
    a     0       0.5   4      norm 50           500  min(100, 2 / ||g||^2)
    b     0.3                  norm 20           750  100
    c     0.0001  1.0   4                       1000  100
    d     0       0.5   4      contribution 90  1000  min(1e8, 2 / ||g||^2)
    ====  ======  ====  =====  ==============  =====  =========================
    """
    name, mean, rate = setting.preset, setting.mean, setting.rate
    steps = {"yosinski-a": 500, "yosinski-b": 750, "yosinski-c": 1000, "yosinski-d": 1000}[name]
    constant = Momentum(schedule=((rate or 100.0, 1),), momentum=0.0)
    optimizer: Optimizer = {
        "yosinski-a": Progress(most=rate or 100.0, desired=2.0), "yosinski-b": constant, "yosinski-c": constant,
        "yosinski-d": Progress(most=rate or 1e8, desired=2.0),
    }[name]  # fmt: skip
    kept: tuple[Projection, ...] = {
        "yosinski-a": (Blur(radius=0.5, every=4), SmallNorm(percentile=50, centre=mean)),
        "yosinski-b": (Decay(rate=0.3, centre=mean), SmallNorm(percentile=20, centre=mean)),
        "yosinski-c": (Decay(rate=0.0001, centre=mean), Blur(radius=1.0, every=4)),
        "yosinski-d": (Blur(radius=0.5, every=4), SmallContribution(percentile=90, centre=mean)),
    }[name]
    plan = Ascent(
        steps=setting.steps or steps, parametrization=Pixels(), projections=(*kept, Bounds()), optimizer=optimizer,
        keep="best",
    )  # fmt: skip
    return Recipe(stages=(plan,), noise="normal")
