"""Score-CAM (Wang et al. 2020, arXiv 1910.01279): channels weighed by what the score is under them, no gradient.

    L_ij = sum_k softmax_k(S(x_k)) A_k,ij,   x_k = m_k x + (1 - m_k) b,   map = upsample(ReLU(L))
    m_k = upsample(A_k) scaled to [0, 1]

b is the colour that becomes an input of zero (the profile's mean), so that masking the pixels is masking the network's
own input, as the paper's code and pytorch-grad-cam do it. As in pytorch-grad-cam, m_k is upsampled corner on corner,
the map edge on edge, and a channel that is the same everywhere gives m_k = 0. By ONNX Runtime alone, one forward pass
a channel; the masked images are made in blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.interpolation import bilinear
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.methods.saliency.activation.base import ClassActivation, Maps
from onnxray.methods.saliency.gradient.base import block_size
from onnxray.model.layers.grid import Grid
from onnxray.model.model import Model
from onnxray.objectives.gradients import judged
from onnxray.objectives.objective import Objective

_EPSILON = 1e-8


@final
@dataclass(frozen=True, kw_only=True)
class ScoreCAM(ClassActivation):
    """Where a layer's features speak for the score: each channel weighed by the score of the image seen through it."""

    name: ClassVar[str] = "score-cam"
    images_only: ClassVar[bool] = True  # they are masked with the profile's mean colour

    def attributions(self, model: Model, pixels: Pixels, objective: Objective, grid: Grid, run: Run) -> Maps:
        """Score all masked images, then weigh."""
        values = grid.maps(model.judge.values(model.feeds(pixels), [grid.value])[grid.value])
        count, channels = values.shape[:2]
        scores = np.empty((count, channels))
        block = block_size(pixels)
        for row in range(count):
            for start in range(0, channels, block):
                part = values[row, start : start + block]
                masked = self._masked(model, pixels, row, part)
                scores[row, start : start + len(part)] = judged(
                    model, masked, objective.rows(np.full(len(part), row, np.int64))
                )
                run.progress(row * channels + start + len(part), count * channels, "masked images")
        if not np.isfinite(scores).all():
            raise InputError(
                f"{objective.describe(0)} is not finite for some of the masked images; explain another number"
            )
        powers = np.exp(scores - scores.max(1, keepdims=True))
        weights = powers / powers.sum(1, keepdims=True)
        return np.asarray((weights[:, :, None, None] * values.astype(np.float64)).sum(1))

    @staticmethod
    def _masked(model: Model, pixels: Pixels, row: int, maps: NDArray[np.float32]) -> Pixels:
        """One image seen through each of the maps."""
        assert model.profile is not None
        base = np.asarray(model.profile.mean_colour, np.float32)[:, None, None]
        masks = bilinear(maps, pixels.array.shape[2:], corners=True)
        low, high = (edge((1, 2), keepdims=True) for edge in (masks.min, masks.max))
        masks = ((masks - low) / (high - low + _EPSILON))[:, None]
        image = pixels.array[row]
        return Pixels((base + masks * (image - base)).astype(np.float32), (pixels.names[row],) * len(maps))
