"""The gradient times the input (Shrikumar et al. 2016, arXiv 1605.01713).

    A_cij = (x_cij - b_c) d S / d x_cij

x in grey levels, b the baseline's colour. The numbers of a linear score sum to S(x) - S(b). Libraries that take the
network's own input u = (scale x - mean) / std give u dS/du, which is the same with b = the profile's mean colour; with
b = black it is what they give for pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.methods.saliency.gradient.base import CHANNELS, Attribution, Channels, PixelAttribution
from onnxray.methods.saliency.gradient.baselines import Colour, constant_baseline
from onnxray.model.model import Model
from onnxray.objectives.gradients import gradient
from onnxray.objectives.objective import Objective


@final
@dataclass(frozen=True, kw_only=True)
class InputXGradient(PixelAttribution):
    """What each pixel adds to the score, to first order: its difference from a baseline times the gradient."""

    name: ClassVar[str] = "input-x-gradient"

    channels: Annotated[Channels, CHANNELS] = "magnitude"
    baseline: Annotated[Colour, "colour that counts as nothing; mean: the profile's, an input of zero"] = "black"

    def map_unit(self, score: str, step: str) -> str:
        """Of a score."""
        return score

    def attributions(
        self, model: Model, pixels: Pixels, objective: Objective, run: Run
    ) -> Iterator[tuple[int, Attribution]]:
        """One gradient an image."""
        difference = pixels.array - constant_baseline(self.baseline, model, pixels)
        for row, slope in enumerate(gradient(model, pixels, objective)):
            yield row, Attribution(array=difference[row] * slope)
