"""The gradient of a score as a saliency map (Simonyan, Vedaldi, Zisserman 2013, arXiv 1312.6034).

    M_ij = max_c |d S / d x_cij|        signed: sum_c d S / d x_cij

x in grey levels, so the map tells how much the score changes a grey level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.methods.saliency.gradient.base import Attribution, PixelAttribution
from onnxray.model.model import Model
from onnxray.objectives.gradients import gradient
from onnxray.objectives.objective import Objective


@final
@dataclass(frozen=True, kw_only=True)
class Gradient(PixelAttribution):
    """How much the score changes with each pixel: the gradient, its absolute value, largest over the channels."""

    name: ClassVar[str] = "gradient"

    def map_unit(self, score: str, step: str) -> str:
        """Of a derivative."""
        return f"{score} per {step}"

    def attributions(
        self, model: Model, pixels: Pixels, objective: Objective, run: Run
    ) -> Iterator[tuple[int, Attribution]]:
        """One gradient an image."""
        for row, slope in enumerate(gradient(model, pixels, objective)):
            yield row, Attribution(array=slope)
