"""HiResCAM (Draelos & Carin 2020, arXiv 2011.08891).

    L_ij = sum_k g_k,ij A_k,ij,   g = dS / dA,   map = upsample(ReLU(L))

Where the network ends in one linear layer after A, sum_ij L_ij is the score without its bias: L is what every place
adds to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnxray.methods.saliency.activation.base import GradientActivation, Maps


@final
@dataclass(frozen=True, kw_only=True)
class HiResCAM(GradientActivation):
    """Where a layer's features speak for the score: each number weighed with its own gradient."""

    name: ClassVar[str] = "hires-cam"

    def weighed(self, values: Maps, slopes: Maps) -> Maps:
        """The formula at the top of the file."""
        return np.asarray(slopes * values)
