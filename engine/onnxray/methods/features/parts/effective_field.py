"""The effective receptive field: what of the theoretical one really counts (Luo et al. 2016, arXiv 1701.04128).

    e = mean over pictures of sum over colours |d sum_c a[c, y, x] / d pixels|

a: the layer, (y, x) its middle place, c its channels. Its side is that of a square of as many pixels as those where e
is more than 1 - 95.45 % of its largest number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.images.pixels import Pixels
from onnxray.methods.features.parts.unit_layers import UnitLayer
from onnxray.model.model import Model

_COUNTS: Final = 1 - 0.9545


@dataclass(frozen=True, kw_only=True, eq=False)
class EffectiveField:
    """heat: e, at the model's size. side: in pixels. place: the middle unit's row and column."""

    heat: NDArray[np.float32]
    side: float
    place: tuple[int, int]


def effective_field(model: Model, pixels: Pixels, layer: UnitLayer) -> EffectiveField:
    """Of the layer's middle unit, over the pictures. Errors: those of ``Model.pullback``."""
    grid = layer.grid
    row, column = (0, 0) if grid is None else (grid.height // 2, grid.width // 2)
    shape = model.shapes([layer.name])[layer.name][1:]
    cotangent: NDArray[Any] = np.zeros(shape, np.float32)
    for channel in range(layer.channels):
        cotangent[tuple(layer.index(channel, row, column)) if grid is not None else ...] = 1
    slopes = model.pullback(pixels, {layer.name: cotangent})
    heat = np.abs(slopes).sum(1).mean(0).astype(np.float32)
    count = int((heat > _COUNTS * heat.max()).sum()) if heat.any() else 0
    return EffectiveField(heat=heat, side=float(np.sqrt(count)), place=(row, column))
