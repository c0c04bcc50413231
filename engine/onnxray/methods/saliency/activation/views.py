"""Pictures seen otherwise for the mean of maps over them: test-time augmentation, as pytorch-grad-cam's aug_smooth.

    M = mean_v scale(unflip_v(M_v)),   scale(M) = (M - min M) / (max M - min M)
    x_v = o + f (flip(x) - o),         f = 0.9, 1, 1.1; flipped left to right or not: six views

o: the pixels that become an input of zero, so that f multiplies the network's own input, as there; nothing is clipped.
Arrays that no profile describes are multiplied as they are. Each map is scaled before the mean, so that each view
counts alike: the mean is in shares of the views' largest numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.images.pixels import Pixels
from onnxray.model.layers.grid import channels_last
from onnxray.model.model import Model


@dataclass(frozen=True)
class View:
    """flipped: left to right. factor: f."""

    flipped: bool = False
    factor: float = 1.0

    def of(self, model: Model, pixels: Pixels) -> Pixels:
        """x_v of pictures, or of samples that hold one."""
        array = pixels.array
        if self.flipped:
            array = array[:, :, ::-1] if channels_last(model, pixels) else array[..., ::-1]
        if self.factor != 1:
            zero = _zero(model, pixels)
            array = zero + self.factor * (array - zero)
        return pixels.replaced(np.ascontiguousarray(array))

    def undone(self, maps: NDArray[Any]) -> NDArray[Any]:
        """Maps (..., rows, columns) of the view, as the picture has them."""
        return maps[..., ::-1] if self.flipped else maps


VIEWS = tuple(View(flipped, factor) for flipped in (False, True) for factor in (0.9, 1.0, 1.1))


def scaled(heat: NDArray[np.float64]) -> NDArray[np.float64]:
    """A map (rows, columns) from 0 to 1; of one number 0."""
    span = float(np.ptp(heat))
    return (heat - heat.min()) / span if span else np.zeros_like(heat)


def _zero(model: Model, pixels: Pixels) -> NDArray[Any]:
    if pixels.plain or model.profile is None:
        return np.zeros((), pixels.array.dtype)
    return model.profile.decode(np.zeros_like(model.profile.encode(pixels.array[:1])))
