"""LayerCAM (Jiang et al. 2021, doi 10.1109/TIP.2021.3089943).

    L_ij = sum_k ReLU(g_k,ij) A_k,ij,   g = dS / dA,   map = upsample(ReLU(L))

Made for early layers too, whose rows and columns are finer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnxray.methods.saliency.activation.base import GradientActivation, Maps


@final
@dataclass(frozen=True, kw_only=True)
class LayerCAM(GradientActivation):
    """Where a layer's features speak for the score: each number weighed with its gradient where that is positive."""

    name: ClassVar[str] = "layer-cam"

    def weighed(self, values: Maps, slopes: Maps) -> Maps:
        """The formula at the top of the file."""
        return np.asarray(np.maximum(slopes, 0) * values)
