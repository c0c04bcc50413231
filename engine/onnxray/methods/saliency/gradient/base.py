"""The family base of methods that attribute a score to every number of the input, and the map that is drawn of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.methods.saliency.base import Map, Saliency, is_embedding
from onnxray.methods.saliency.gradient.lost_gradient import refuse_zero_gradient
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective

if TYPE_CHECKING:
    from onnxray.importer.backward_rules import BackwardRules

_QUANTILE = 0.995
"""The colour scale of pixel-wise maps leaves out the topmost of their noise (methods' display advice: 99 % and up)."""
_BLOCK_ELEMENTS = 4_000_000
"""Numbers of pixels that a method prepares at once: 16 MB."""

Channels = Literal["maximum", "magnitude", "sum"]
CHANNELS = "over the channels: maximum and magnitude (the sum) of |attribution|, or the sum with its sign"


@dataclass(frozen=True, kw_only=True, eq=False)
class Attribution:
    """What is attributed to one image's numbers: an array like the image, and what there is to say of it."""

    array: NDArray[Any]
    numbers: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class PixelAttribution(Saliency):
    """A saliency method whose attribution has the input's own shape."""

    images_only: ClassVar[bool] = False

    channels: Annotated[Channels, CHANNELS] = "maximum"

    @abstractmethod
    def attributions(
        self, model: Model, pixels: Pixels, objective: Objective, run: Run
    ) -> Iterator[tuple[int, Attribution]]:
        """Give (row of the image in ``pixels``, its attribution), in order; zero everywhere is no error here."""

    def rules(self, model: Model, objective: Objective) -> BackwardRules | None:
        """The backward rules that the gradient is taken by; None for its own."""
        return None

    @final
    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """The attributions reduced over the channels. Errors: ZeroGradient, naming what saturated."""
        for row, found in self.attributions(model, pixels, objective, run):
            yield row, self.map_of(found, model, pixels, row, objective)

    @final
    def map_of(self, found: Attribution, model: Model, pixels: Pixels, row: int, objective: Objective) -> Map:
        """The map of one image's attribution. Errors: ZeroGradient where it is zero because the gradient is."""
        reason = found.reason
        if not found.array.any():
            refuse_zero_gradient(model, pixels, row, objective, self.rules(model, objective))
            reason = reason or "the map is zero everywhere, though the gradient is not"
        return replace(reduced(found.array, pixels, self.channels, **found.numbers), reason=reason)


def reduced(attribution: NDArray[Any], pixels: Pixels, channels: Channels, **numbers: Any) -> Map:
    """max_c |a_c| ("maximum"), sum_c |a_c| ("magnitude") or sum_c a_c ("sum", signed) of one image's (C, H, W).

    Samples that are no images stay whole; of embeddings of tokens the numbers of each are reduced so.
    """
    signed = channels == "sum"
    heat = attribution if signed else np.abs(attribution)
    if is_embedding(pixels):
        heat = np.abs(heat).max(-1) if channels == "maximum" else heat.sum(-1)
    elif not pixels.plain:
        heat = heat.max(0) if channels == "maximum" else heat.sum(0)
    return Map(heat=heat, attribution=attribution, signed=signed, numbers=numbers, quantile=_QUANTILE)


def block_size(pixels: Pixels) -> int:
    """How many variants of an image are prepared at once, so that memory does not grow with their number."""
    return max(1, _BLOCK_ELEMENTS // max(1, pixels.array[:1].size))
