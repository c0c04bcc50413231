"""What a picture may go through before a network sees it: each transformation a frozen value with its range.

    scale=0.9..1.1              factor of size, about the middle
    rotation=-20..20            degrees counter-clockwise, about the middle
    translation=-0.05..0.05     shares of height and width, drawn for each of the two
    blur=0..1                   sigma of a Gaussian, in pixels
    contrast=0.8..1.2           factor about mid-grey, 127.5
    brightness=-20..20          grey levels that are added
    noise=0..8                  standard deviation of Gaussian noise, in grey levels
    jpeg=50..95                 quality of a JPEG file

Amounts are drawn uniformly. Whatever the order in which they are stated, they are applied in that of a camera, as
above, the first three in one bilinear resampling; then pixels are brought into [0, 255], and JPEG comes last.
"""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.near_misses import did_you_mean
from onnxray.errors.short_values import short
from onnxray.methods.option_checks import Range, check_range

_TEXT = re.compile(r"\s*(?P<name>[a-z]+)\s*=\s*(?P<low>[^=]+?)(?:\s*\.\.\s*(?P<high>[^=]+?))?\s*")


@dataclass(frozen=True)
class Transformation(ABC):
    """low <= amount <= high. Errors: InputError for a range outside of what there can be."""

    low: float
    high: float

    name: ClassVar[str]
    limits: ClassVar[Range]

    def __post_init__(self) -> None:
        for end in (self.low, self.high):
            check_range(self.name, end, self.limits.least, self.limits.most)
        if self.low > self.high:
            raise InputError(f"{self.name} is from {self.low:g} to {self.high:g}; the smaller number comes first")

    def __str__(self) -> str:
        return f"{self.name}={self.low:g}..{self.high:g}"

    def draw(self, random: np.random.Generator) -> float:
        """An amount."""
        return float(random.uniform(self.low, self.high))


@final
@dataclass(frozen=True)
class Scale(Transformation):
    """A factor of size."""

    name = "scale"
    limits = Range(0.05, 20.0)


@final
@dataclass(frozen=True)
class Rotation(Transformation):
    """Degrees."""

    name = "rotation"
    limits = Range(-180.0, 180.0)


@final
@dataclass(frozen=True)
class Translation(Transformation):
    """Shares of height and of width."""

    name = "translation"
    limits = Range(-1.0, 1.0)


@final
@dataclass(frozen=True)
class Blur(Transformation):
    """Pixels."""

    name = "blur"
    limits = Range(0.0, 20.0)


@final
@dataclass(frozen=True)
class Contrast(Transformation):
    """A factor about mid-grey."""

    name = "contrast"
    limits = Range(0.0, 20.0)


@final
@dataclass(frozen=True)
class Brightness(Transformation):
    """Grey levels."""

    name = "brightness"
    limits = Range(-255.0, 255.0)


@final
@dataclass(frozen=True)
class GaussianNoise(Transformation):
    """Grey levels."""

    name = "noise"
    limits = Range(0.0, 255.0)


@final
@dataclass(frozen=True)
class Jpeg(Transformation):
    """The quality of a JPEG file, in whole numbers."""

    name = "jpeg"
    limits = Range(1.0, 95.0)


KINDS: Final[Mapping[str, type[Transformation]]] = MappingProxyType({
    one.name: one for one in (Scale, Rotation, Translation, Blur, Contrast, Brightness, GaussianNoise, Jpeg)
})  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Draw:
    """What one picture goes through. shift: down and across, in shares. noise: of the picture's shape, None of none.

    quality: None where there is no JPEG.
    """

    scale: float = 1.0
    rotation: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    blur: float = 0.0
    contrast: float = 1.0
    brightness: float = 0.0
    noise: NDArray[np.float32] | None = None
    quality: int | None = None


def read_transformations(texts: str | Sequence[str]) -> tuple[Transformation, ...]:
    """Transformations from text, ``rotation=-20..20``, or ``rotation=20`` for always 20. Errors: InputError."""
    found: dict[str, Transformation] = {}
    for text in (texts,) if isinstance(texts, str) else texts:
        stated = _TEXT.fullmatch(text)
        name = stated["name"] if stated else text.partition("=")[0].strip()
        if name not in KINDS:
            near = did_you_mean(name, KINDS)
            raise InputError(f"the transformation is {short(text)}; {near}there are: {', '.join(KINDS)}")
        try:
            low, high = (float(end) for end in (stated["low"], stated["high"] or stated["low"]))  # type: ignore[index]
        except (TypeError, ValueError):
            raise InputError(
                f"the transformation is {short(text)}; NAME=LEAST..MOST was expected: {name}={_EXAMPLES[name]}"
            ) from None
        if name in found:
            raise InputError(f"{name} is stated twice, {found[name]} and {text.strip()}; state it once")
        found[name] = KINDS[name](low, high)
    return tuple(found[name] for name in KINDS if name in found)


_EXAMPLES: Final = {
    "scale": "0.9..1.1", "rotation": "-20..20", "translation": "-0.05..0.05", "blur": "0..1", "contrast": "0.8..1.2",
    "brightness": "-20..20", "noise": "0..8", "jpeg": "50..95",
}  # fmt: skip


def draw(kinds: Sequence[Transformation], shape: tuple[int, ...], random: np.random.Generator) -> Draw:
    """One of each, for a picture of a shape (channels, height, width)."""
    amounts = {one.name: one.draw(random) for one in kinds if not isinstance(one, Translation)}
    shift = next(((one.draw(random), one.draw(random)) for one in kinds if isinstance(one, Translation)), (0.0, 0.0))
    sigma = amounts.get("noise", 0.0)
    return Draw(
        scale=amounts.get("scale", 1.0), rotation=amounts.get("rotation", 0.0), shift=shift,
        blur=amounts.get("blur", 0.0), contrast=amounts.get("contrast", 1.0),
        brightness=amounts.get("brightness", 0.0),
        noise=np.asarray(sigma * random.standard_normal(shape, np.float32)) if sigma else None,
        quality=round(amounts["jpeg"]) if "jpeg" in amounts else None,
    )  # fmt: skip
