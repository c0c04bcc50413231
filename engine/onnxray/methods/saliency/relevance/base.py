"""The family base of maps that share a score out: what the network's input is given, as a map of the pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from onnxray.graph.fixed_batch import has_no_batch
from onnxray.images.pixels import Pixels
from onnxray.methods.saliency.gradient.base import CHANNELS, Channels, PixelAttribution
from onnxray.model.model import Model


@dataclass(frozen=True, kw_only=True)
class SharedScore(PixelAttribution):
    """A method whose attributions are summands of the score: signed, and their sum is looked at."""

    channels: Annotated[Channels, CHANNELS] = "sum"

    def map_unit(self, score: str, step: str) -> str:
        """Of a score."""
        return score


def at_the_pixels(model: Model, pixels: Pixels, found: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """One sample's summands of the network's input, in the order of the pixels.

    u = a x + b number by number (the profile), so that what u adds to the score is what x adds: nothing is rescaled.
    """
    array = found[pixels.input] if pixels.input is not None else next(iter(found.values()))
    if pixels.plain or model.profile is None:
        return np.asarray(array if has_no_batch(model.graph) else array[0], np.float32)
    wide = array.astype(np.float64)
    nothing, one, given = (model.profile.decode(part) for part in (np.zeros_like(wide), np.ones_like(wide), wide))
    summands: NDArray[np.float32] = ((given - nothing) / (one - nothing)).astype(np.float32)[0]
    return summands


def share_of(part: float, whole: float) -> float | None:
    """part / |whole|, None of nothing."""
    return part / abs(whole) if whole else None
