"""XGrad-CAM (Fu et al. 2020, arXiv 2008.02312).

    L_ij = sum_k w_k A_k,ij,   w_k = sum_ij g_k,ij A_k,ij / sum_ij A_k,ij,   g = dS / dA,   map = upsample(ReLU(L))

1e-7 is added to the denominator, as pytorch-grad-cam does. Made for features that are not negative: where a channel's
sum is near zero for cancellation, as after a LayerNorm, its weight is large for no reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnxray.methods.saliency.activation.base import GradientActivation, Maps

_EPSILON = 1e-7


@final
@dataclass(frozen=True, kw_only=True)
class XGradCAM(GradientActivation):
    """Grad-CAM whose weights are the gradients' means over where the channel is active."""

    name: ClassVar[str] = "xgrad-cam"

    def weighed(self, values: Maps, slopes: Maps) -> Maps:
        """The formula at the top of the file."""
        totals = values.sum((2, 3), keepdims=True) + _EPSILON
        weights = (slopes * values / totals).sum((2, 3), keepdims=True)
        return np.asarray(weights * values)
