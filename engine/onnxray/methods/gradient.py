"""The gradient of a score as a saliency map (Simonyan, Vedaldi, Zisserman 2013, arXiv 1312.6034).

    M_ij = max_c |d S / d x_cij|        signed: sum_c d S / d x_cij

x in grey levels, so the map tells how much the score changes a grey level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

from onnxray.differentiate import gradient
from onnxray.images import Pixels
from onnxray.method import Run
from onnxray.model import Model
from onnxray.objectives import Objective
from onnxray.pixel_maps import reduced
from onnxray.saliency import Map, Saliency


@final
@dataclass(frozen=True, kw_only=True)
class Gradient(Saliency):
    """How much the score changes with each pixel: the gradient, its absolute value, largest over the channels."""

    name: ClassVar[str] = "gradient"
    images_only: ClassVar[bool] = False

    channels: Annotated[
        Literal["maximum", "sum"], "maximum of |gradient| over the channels, or the signed sum of the gradients"
    ] = "maximum"

    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """One gradient an image."""
        for row, attribution in enumerate(gradient(model, pixels, objective)):
            yield row, reduced(attribution, pixels, self.channels)
