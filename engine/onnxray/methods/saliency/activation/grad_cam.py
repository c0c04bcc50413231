"""Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391).

    L_ij = sum_k a_k A_k,ij,   a_k = mean_ij dS / dA_k,ij,   map = upsample(ReLU(L))

A: a layer's value (channels k, rows i, columns j), S: the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnxray.methods.saliency.activation.base import GradientActivation, Maps


@final
@dataclass(frozen=True, kw_only=True)
class GradCAM(GradientActivation):
    """Where a layer's features speak for the score: each channel weighed with its mean gradient."""

    name: ClassVar[str] = "grad-cam"

    def weighed(self, values: Maps, slopes: Maps) -> Maps:
        """The formula at the top of the file."""
        return np.asarray(slopes.mean((2, 3), keepdims=True) * values)
