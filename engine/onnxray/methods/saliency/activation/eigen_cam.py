"""EigenCAM (Muhammad & Yeasin 2020, arXiv 2008.00299): the first principal component of a layer's features.

    L = (A - mean A) v,   v the first right singular vector of A - mean A;   map = upsample(ReLU(L))

A: (places, channels), the mean taken over places, as pytorch-grad-cam does (the paper does not centre). A singular
vector has no sign of its own: the one is taken by which the number of largest magnitude is positive (Chung & Ying 2025,
doi 10.3390/app15137562, eq. 13). pytorch-grad-cam's EigenCAM takes what LAPACK gives, so its map can be our map's
negative part. Says nothing of the target; by ONNX Runtime alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.methods.saliency.activation.base import ClassActivation, Maps
from onnxray.methods.saliency.activation.principal_component import first_component
from onnxray.model.layers.grid import Grid
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective


@final
@dataclass(frozen=True, kw_only=True)
class EigenCAM(ClassActivation):
    """What stands out among a layer's features, whatever the class: their first principal component."""

    name: ClassVar[str] = "eigen-cam"

    def attributions(self, model: Model, pixels: Pixels, objective: Objective, grid: Grid, run: Run) -> Maps:
        """One decomposition an image."""
        values = grid.maps(model.judge.values(model.feeds(pixels), [grid.value])[grid.value]).astype(np.float64)
        found = np.empty((len(values), *values.shape[2:]))
        for row, image in enumerate(values):
            found[row] = first_component(image)
            run.progress(row + 1, len(values), "principal components")
        flip = np.abs(found.min((1, 2))) > np.abs(found.max((1, 2)))
        return np.where(flip[:, None, None], -found, found)
