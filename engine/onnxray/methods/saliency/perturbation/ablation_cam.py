"""Ablation-CAM (Desai, Ramaswamy 2020, WACV): channels weighed by what the score loses without them, no gradient.

    L_ij = sum_k w_k A_k,ij,   w_k = (y - y_k) / |y|,   map = upsample(ReLU(L))

A: a layer's value (channels k, rows i, columns j), y: the score, y_k: the score with channel k of the layer zero, all
else as it is; tokens that are none of the picture's (class and register tokens) stay. The paper divides by y: where the
score is negative its weights, and pytorch-grad-cam's, have the other sign, so that what speaks against the target is
shown; |y| keeps the sign. A score of 0 is not divided by. Of layers with negative numbers pytorch-grad-cam takes, in
place of zero, 1e7 less than the layer's least number. The file is run from the layer on, many channels at a time; by
ONNX Runtime alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.methods.saliency.activation.base import ClassActivation, Maps
from onnxray.methods.saliency.perturbation.copies import Copies, slices
from onnxray.methods.saliency.perturbation.resumed_forward import Resumed
from onnxray.model.layers.grid import Grid
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective


@final
@dataclass(frozen=True, kw_only=True)
class AblationCAM(ClassActivation):
    """Where a layer's features speak for the score: each channel weighed by what is lost without it. No gradients."""

    name: ClassVar[str] = "ablation-cam"

    batch_memory: Annotated[int, "MiB that a batch of changed values may take"] = 512

    def attributions(self, model: Model, pixels: Pixels, objective: Objective, grid: Grid, run: Run) -> Maps:
        """One forward from the layer on for each channel."""
        copies = Copies(model, pixels, objective, self.batch_memory)
        resumed = Resumed(copies, grid.value)
        found = np.empty((len(pixels), grid.height, grid.width))
        for row in range(len(pixels)):
            value, beside = resumed.values(model.feeds(pixels.rows(slice(row, row + 1))))
            places = grid.maps(np.arange(value.size).reshape(1, *value.shape))[0]
            count = len(places)
            whole = float(copies.read(resumed.forward(value[None], beside), 1, row)["score"][0])
            weights = np.empty(count)
            for channels in slices(np.arange(count), copies.batch):
                ablated = _without(value, places[channels])
                weights[channels] = whole - copies.read(resumed.forward(ablated, beside), len(channels), row)["score"]
                run.progress(row * count + int(channels[-1]) + 1, len(pixels) * count, f"{count} channels")
            maps = value.reshape(-1)[places].astype(np.float64)
            found[row] = (weights[:, None, None] * maps).sum(0) / (abs(whole) or 1.0)
        return found


def _without(value: NDArray[Any], places: NDArray[np.int64]) -> NDArray[Any]:
    """(M, ...): a value with the numbers at these places of it, (M, height, width), zero."""
    batch = np.repeat(value[None], len(places), axis=0)
    for one, own in zip(batch.reshape(len(places), -1), places):
        one[own] = 0
    return batch
