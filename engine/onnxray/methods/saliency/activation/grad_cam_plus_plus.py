"""Grad-CAM++ (Chattopadhyay et al. 2018, arXiv 1710.11063).

    L_ij = sum_k w_k A_k,ij,   w_k = sum_ij a_k,ij ReLU(g_k,ij),   g = dS / dA
    a_k,ij = g^2 / (2 g^2 + g^3 sum_ab A_k,ab)   (eq. 19), 0 where g = 0;   map = upsample(ReLU(L))

The denominator is made larger by 1e-6, as pytorch-grad-cam does. The paper takes exp(S) as the score, whose gradient is
exp(S) g; that factor is positive and the same for all channels, so it only scales the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnxray.methods.saliency.activation.base import GradientActivation, Maps

_EPSILON = 1e-6


@final
@dataclass(frozen=True, kw_only=True)
class GradCAMPlusPlus(GradientActivation):
    """Grad-CAM with weights that give every instance of the class its share, also the small ones."""

    name: ClassVar[str] = "grad-cam++"

    def unit_of(self, score: str) -> str:
        """Of none: a_k adds 2 to a score, so that twice the score is not twice the map."""
        return ""

    def weighed(self, values: Maps, slopes: Maps) -> Maps:
        """The formula at the top of the file."""
        squared = slopes**2
        denominator = 2 * squared + slopes * squared * values.sum((2, 3), keepdims=True) + _EPSILON
        shares = np.where(slopes != 0, squared / denominator, 0)
        weights = (shares * np.maximum(slopes, 0)).sum((2, 3), keepdims=True)
        return np.asarray(weights * values)
