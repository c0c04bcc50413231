"""Noise, on pictures (channels, height, width) of floats in [0, 1]; what leaves here is not yet cut to that range.

gaussian   x + N(0, c)            shot       Poisson(c x) / c
speckle    x + x N(0, c)          impulse    each number black or white with probability c, both alike
"""

from __future__ import annotations

import numpy as np

from onnxray.arrays import Floats
from onnxray.images.corruptions.severities import Severity


def gaussian_noise(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """The first formula at the top of the file."""
    (sigma,) = severity.numbers
    return x + random.normal(scale=sigma, size=x.shape)


def shot_noise(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """As a sensor counts light: c events at white."""
    (events,) = severity.numbers
    return random.poisson(x * events) / events


def impulse_noise(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """Salt and pepper, each channel by itself."""
    (amount,) = severity.numbers
    hit, salt = random.random(x.shape) < amount, random.random(x.shape) < 0.5
    return np.where(hit, salt.astype(np.float64), x)


def speckle_noise(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """Noise that grows with the light."""
    (sigma,) = severity.numbers
    return x + x * random.normal(scale=sigma, size=x.shape)
