"""Guided Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391, section 3.2): Grad-CAM in the detail of pixels.

    M_c = upsample(ReLU(L)) * R_c

L: Grad-CAM at the layer (see grad_cam.py), R: guided backpropagation at the pixels, channel by channel. The paper
upsamples bilinearly; captum's GuidedGradCam does so with interpolate_mode="bilinear" (its own default is "nearest").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, final

import numpy as np

from onnxray.images.interpolation import bilinear
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.methods.saliency.activation.base import NO_EVIDENCE, layers_of, pictures_seen
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from onnxray.methods.saliency.base import Map, Saliency
from onnxray.methods.saliency.gradient.base import CHANNELS, Channels, reduced
from onnxray.methods.saliency.gradient.rectifiers import rectifier_rules
from onnxray.model.layers.grid import channels_last, picture_size
from onnxray.model.model import Model
from onnxray.objectives.gradients import gradient
from onnxray.objectives.objective import Objective


@final
@dataclass(frozen=True, kw_only=True)
class GuidedGradCAM(Saliency):
    """Grad-CAM times guided backpropagation: pixels that speak for the score, where the layer does too."""

    name: ClassVar[str] = "guided-grad-cam"
    images_only: ClassVar[bool] = False

    layer: Annotated[
        str | tuple[str, ...] | None,
        "value or values Grad-CAM is made at; default: the last with rows and columns before the pooling",
    ] = None
    channels: Annotated[Channels, CHANNELS] = "maximum"
    rectifiers: Annotated[
        str | tuple[str, ...],
        "operator whose derivative is replaced: Relu, Clip (Relu6 is one), LeakyRelu, PRelu; may be repeated",
    ] = ("Relu",)

    def subjects(self, model: Model) -> str | tuple[str, ...] | None:
        """Of several inputs those that hold a picture which the layers see."""
        return self.wrt if self.wrt is not None else pictures_seen(model, self.layer)

    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """A map for every image and layer, images outermost."""
        rules, note = rectifier_rules(model, objective, "guided", self.rectifiers)
        run.note(note)
        grids = layers_of(self, model, pixels, objective, run)
        size = picture_size(model, pixels)
        coarse = []
        for done, grid in enumerate(grids):
            run.progress(done, len(grids) + 1, f"at {grid.value}")
            coarse.append(GradCAM().attributions(model, pixels, objective, grid, run))
        last = channels_last(model, pixels)
        fine = gradient(model, pixels, objective, rules)
        for row, slopes in enumerate(fine):
            for grid, maps in zip(grids, coarse):
                shown = bilinear(np.maximum(maps[row], 0), size)
                product = (shown[..., None] if last else shown) * slopes
                found = reduced(product.astype(np.float32), pixels, self.channels)
                reason = None if found.heat.any() else NO_EVIDENCE
                yield row, replace(found, layer=grid.value, reason=reason)
