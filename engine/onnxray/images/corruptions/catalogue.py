"""The corruptions by name, in the benchmark's four families, on 8-bit pictures of any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from onnxray.arrays import Floats, Image8
from onnxray.errors import InputError
from onnxray.errors.near_misses import did_you_mean
from onnxray.images.corruptions import blur, digital, noise, weather
from onnxray.images.corruptions.severities import Severity, severity_of
from onnxray.images.corruptions.spatter import spatter
from onnxray.images.eight_bits import to_uint8

Corruption = Callable[[Floats, Severity, np.random.Generator], Floats]

FAMILIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "noise": ("gaussian-noise", "shot-noise", "impulse-noise"),
    "blur": ("defocus-blur", "glass-blur", "motion-blur", "zoom-blur"),
    "weather": ("snow", "fog", "brightness"),
    "digital": ("contrast", "elastic-transform", "pixelate", "jpeg"),
})  # fmt: skip
"""The benchmark's, but for frost, which lays photographs of its authors over pictures."""
FURTHER: Final = ("speckle-noise", "gaussian-blur", "spatter", "saturate")
"""Those that the benchmark keeps for tuning."""
CORRUPTIONS: Final[Mapping[str, Corruption]] = MappingProxyType({
    "gaussian-noise": noise.gaussian_noise, "shot-noise": noise.shot_noise, "impulse-noise": noise.impulse_noise,
    "speckle-noise": noise.speckle_noise, "gaussian-blur": blur.gaussian_blur, "defocus-blur": blur.defocus_blur,
    "glass-blur": blur.glass_blur, "motion-blur": blur.motion_blur, "zoom-blur": blur.zoom_blur,
    "snow": weather.snow, "fog": weather.fog, "brightness": weather.brightness, "spatter": spatter,
    "contrast": digital.contrast, "saturate": digital.saturate, "elastic-transform": digital.elastic_transform,
    "pixelate": digital.pixelate, "jpeg": digital.jpeg,
})  # fmt: skip
SEVERITIES: Final = (1, 2, 3, 4, 5)


def named(stated: str) -> tuple[str, ...]:
    """Corruptions and families by name, with commas. Errors: InputError."""
    found: dict[str, None] = {}
    for name in (part.strip() for part in stated.split(",")):
        if name not in FAMILIES and name not in CORRUPTIONS:
            known = [*FAMILIES, *CORRUPTIONS]
            near = did_you_mean(name, known)
            raise InputError(f"there is no corruption {name!r}; {near}there are: {', '.join(known)}")
        found |= dict.fromkeys(FAMILIES.get(name, (name,)))
    return tuple(found)


def corrupted(picture: Image8, name: str, severity: int, random: np.random.Generator) -> Image8:
    """A picture (1 or 3, height, width) made worse; severity from 1 to 5."""
    numbers = severity_of(name, severity, min(picture.shape[1:]))
    worse = CORRUPTIONS[name](picture.astype(np.float64) / 255, numbers, random)
    return to_uint8(np.clip(worse, 0, 1) * 255)
