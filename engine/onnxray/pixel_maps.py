"""From an attribution of every pixel and channel to the map that is drawn."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.images import Pixels
from onnxray.saliency import Map

_QUANTILE = 0.995
"""The colour scale of pixel-wise maps leaves out the topmost of their noise (methods' display advice: 99 % and up)."""


def reduced(attribution: NDArray[Any], pixels: Pixels, channels: Literal["maximum", "sum"], **numbers: Any) -> Map:
    """max_c |a_c| ("maximum") or sum_c a_c ("sum", signed) of one image's attribution (C, H, W); samples stay whole."""
    signed = channels == "sum"
    if pixels.plain:
        heat = attribution if signed else np.abs(attribution)
    else:
        heat = attribution.sum(0) if signed else np.abs(attribution).max(0)
    return Map(heat=heat, attribution=attribution, signed=signed, numbers=numbers, quantile=_QUANTILE)
