"""In what numbers one of several inputs is changed: its array's own, or the grey levels of the picture given for it.

    array     x as the file takes it, saved in its own type, neither rounded nor clipped;
              a step is u = (max x_0 - min x_0) / 255, of each sample
    picture   x in [0, 255], saved as round(clip(x, 0, 255)) and fed as (scale x - mean) / std; a step is one grey level

An array of one number throughout has no range; its u is |x_0| / 255, or 1 / 255 of zeros.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.eight_bits import to_uint8
from onnxray.images.profile.profile import Profile

_LEVELS = 255


@dataclass(frozen=True, kw_only=True, eq=False)
class Space(ABC):
    """One input's numbers, a row a sample: (n, numbers). array: what is fed of the samples as they came."""

    name: str
    array: NDArray[Any]

    @property
    @abstractmethod
    def start(self) -> NDArray[Any]:
        """(N, numbers): x_0, as it is saved."""

    @property
    @abstractmethod
    def units(self) -> NDArray[np.float64]:
        """(N,): what a step adds to each number of a sample."""

    @property
    @abstractmethod
    def mean(self) -> NDArray[np.float64]:
        """(N,): about which noise is drawn."""

    @abstractmethod
    def saved(self, x: NDArray[Any]) -> NDArray[Any]:
        """What is saved of x (..., numbers)."""

    @abstractmethod
    def shown(self, x: NDArray[Any]) -> NDArray[Any]:
        """What is saved, in the shape and type that it is saved in."""

    @abstractmethod
    def bounded(self, x: NDArray[Any]) -> NDArray[Any]:
        """x within what it may hold."""

    @abstractmethod
    def fed(self, x: NDArray[Any]) -> NDArray[Any]:
        """What the file is fed for x."""

    @abstractmethod
    def slopes(self, gradient: NDArray[Any]) -> NDArray[Any]:
        """The gradient with respect to x, of that with respect to what is fed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ArraySpace(Space):
    """The array's own numbers."""

    @cached_property
    def start(self) -> NDArray[Any]:
        """As it came. Errors: InputError for NaN and infinity."""
        if not np.isfinite(self.array).all():
            raise InputError(f"{short(self.name)} holds NaN or infinity; finite numbers were expected")
        return self.array.reshape(len(self.array), -1)

    @cached_property
    def units(self) -> NDArray[np.float64]:
        """u."""
        flat = self.start.astype(np.float64)
        span, largest = np.ptp(flat, axis=1), np.abs(flat).max(1)
        return np.asarray(np.where(span > 0, span, np.where(largest > 0, largest, 1.0)) / _LEVELS)

    @property
    def mean(self) -> NDArray[np.float64]:
        """The array's."""
        return np.asarray(self.start.mean(1, dtype=np.float64))

    def saved(self, x: NDArray[Any]) -> NDArray[Any]:
        """In the array's own type."""
        return x.astype(self.array.dtype)

    def shown(self, x: NDArray[Any]) -> NDArray[Any]:
        """In the array's own shape."""
        return self.saved(x).reshape(len(x), *self.array.shape[1:])

    def bounded(self, x: NDArray[Any]) -> NDArray[Any]:
        """As it is: an array has no bounds that are known."""
        return x

    def fed(self, x: NDArray[Any]) -> NDArray[Any]:
        """The same."""
        return self.shown(x)

    def slopes(self, gradient: NDArray[Any]) -> NDArray[Any]:
        """The same."""
        return gradient.reshape(len(gradient), -1)


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureSpace(Space):
    """The grey levels of a picture, which ``profile`` makes what is fed."""

    profile: Profile

    @cached_property
    def start(self) -> NDArray[Any]:
        """In 8 bits, RGB or grey."""
        return to_uint8(self.profile.decode(self.array)).reshape(len(self.array), -1)

    @property
    def units(self) -> NDArray[np.float64]:
        """One grey level."""
        return np.ones(len(self.array))

    @property
    def mean(self) -> NDArray[np.float64]:
        """That of the profile."""
        return np.full(len(self.array), float(np.mean(self.profile.mean_colour)))

    def saved(self, x: NDArray[Any]) -> NDArray[Any]:
        """In 8 bits."""
        return to_uint8(x)

    def shown(self, x: NDArray[Any]) -> NDArray[Any]:
        """(n, C, H, W)."""
        return self.saved(x).reshape(len(x), *self.profile.shape)

    def bounded(self, x: NDArray[Any]) -> NDArray[Any]:
        """Within [0, 255]."""
        return np.asarray(np.clip(x, 0, 255))

    def fed(self, x: NDArray[Any]) -> NDArray[Any]:
        """As the profile has it."""
        pixels = x.reshape(len(x), *self.profile.shape).astype(np.float32)
        return np.asarray(self.profile.encode(pixels), self.array.dtype)

    def slopes(self, gradient: NDArray[Any]) -> NDArray[Any]:
        """E^T g for what is fed, E x + b: a permutation of the axes times a = scale / std, so E^T g = a^2 E^-1 g."""
        without = self.profile.decode(np.zeros_like(gradient, np.float64))
        back, inverse = (
            self.profile.decode(array) - without
            for array in (gradient.astype(np.float64), np.ones_like(gradient, np.float64))
        )
        return np.asarray((back / inverse**2).reshape(len(gradient), -1))
