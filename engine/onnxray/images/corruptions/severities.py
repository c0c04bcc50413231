"""The published constants of the corruptions, for pictures of 224 and of 32 pixels, and those between.

From the scripts that made ImageNet-C (224) and CIFAR-10-C (32); Hendrycks, Dietterich 2019 (arXiv 1903.12261). A
picture takes those of the nearer size, by the ratio of its shorter side to it. Lengths in pixels are scaled by that
ratio, which at 224 and at 32 is 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

LARGE, SMALL = 224, 32

Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Severity:
    """numbers: the constants of one corruption at one severity; scale: what its lengths in pixels are multiplied by."""

    numbers: Numbers
    scale: float


def _numbers(*each: float | Sequence[float]) -> tuple[Numbers, ...]:
    return tuple(tuple(one) if isinstance(one, Sequence) else (one,) for one in each)


# The script for ImageNet-C takes 244 for the side here, and says so.
_SIDE: Final = 244
_PUBLISHED: Final[Mapping[int, Mapping[str, tuple[Numbers, ...]]]] = MappingProxyType({
    LARGE: MappingProxyType({
        "gaussian-noise": _numbers(0.08, 0.12, 0.18, 0.26, 0.38),
        "shot-noise": _numbers(60, 25, 12, 5, 3),
        "impulse-noise": _numbers(0.03, 0.06, 0.09, 0.17, 0.27),
        "speckle-noise": _numbers(0.15, 0.2, 0.35, 0.45, 0.6),
        "gaussian-blur": _numbers(1, 2, 3, 4, 6),
        "defocus-blur": _numbers((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        "glass-blur": _numbers((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
        "motion-blur": _numbers((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
        "zoom-blur": _numbers((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
        "snow": _numbers(
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7), (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65), (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
        "fog": _numbers((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
        "brightness": _numbers(0.1, 0.2, 0.3, 0.4, 0.5),
        "spatter": _numbers(
            (0.65, 0.3, 4, 0.69, 0.6, 0), (0.65, 0.3, 3, 0.68, 0.6, 0), (0.65, 0.3, 2, 0.68, 0.5, 0),
            (0.65, 0.3, 1, 0.65, 1.5, 1), (0.67, 0.4, 1, 0.65, 1.5, 1),
        ),
        "contrast": _numbers(0.4, 0.3, 0.2, 0.1, 0.05),
        "saturate": _numbers((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
        "elastic-transform": _numbers(
            (_SIDE * 2, _SIDE * 0.7, _SIDE * 0.1), (_SIDE * 2, _SIDE * 0.08, _SIDE * 0.2),
            (_SIDE * 0.05, _SIDE * 0.01, _SIDE * 0.02), (_SIDE * 0.07, _SIDE * 0.01, _SIDE * 0.02),
            (_SIDE * 0.12, _SIDE * 0.01, _SIDE * 0.02),
        ),
        "pixelate": _numbers(0.6, 0.5, 0.4, 0.3, 0.25),
        "jpeg": _numbers(25, 18, 15, 10, 7),
    }),
    SMALL: MappingProxyType({
        "gaussian-noise": _numbers(0.04, 0.06, 0.08, 0.09, 0.10),
        "shot-noise": _numbers(500, 250, 100, 75, 50),
        "impulse-noise": _numbers(0.01, 0.02, 0.03, 0.05, 0.07),
        "speckle-noise": _numbers(0.06, 0.1, 0.12, 0.16, 0.2),
        "gaussian-blur": _numbers(0.4, 0.6, 0.7, 0.8, 1),
        "defocus-blur": _numbers((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        "glass-blur": _numbers((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        "motion-blur": _numbers((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        "zoom-blur": _numbers((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        "snow": _numbers(
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9), (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85), (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        "fog": _numbers((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        "brightness": _numbers(0.05, 0.1, 0.15, 0.2, 0.3),
        "spatter": _numbers(
            (0.62, 0.1, 0.7, 0.7, 0.5, 0), (0.65, 0.1, 0.8, 0.7, 0.5, 0), (0.65, 0.3, 1, 0.69, 0.5, 0),
            (0.65, 0.1, 0.7, 0.69, 0.6, 1), (0.65, 0.1, 0.5, 0.68, 0.6, 1),
        ),
        "contrast": _numbers(0.75, 0.5, 0.4, 0.3, 0.15),
        "saturate": _numbers((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
        "elastic-transform": _numbers(
            (0, 0, SMALL * 0.08), (SMALL * 0.05, SMALL * 0.2, SMALL * 0.07), (SMALL * 0.08, SMALL * 0.06, SMALL * 0.06),
            (SMALL * 0.1, SMALL * 0.04, SMALL * 0.05), (SMALL * 0.1, SMALL * 0.03, SMALL * 0.03),
        ),
        "pixelate": _numbers(0.95, 0.9, 0.85, 0.75, 0.65),
        "jpeg": _numbers(80, 65, 58, 50, 40),
    }),
})  # fmt: skip
NAMES: Final = tuple(_PUBLISHED[LARGE])


def severity_of(name: str, severity: int, shorter_side: int) -> Severity:
    """The constants of a corruption for a picture. severity: 1 to 5."""
    reference = LARGE if shorter_side >= math.sqrt(LARGE * SMALL) else SMALL
    return Severity(_PUBLISHED[reference][name][severity - 1], shorter_side / reference)
