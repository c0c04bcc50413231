"""Pixels as a graph's input takes them, whether they are a model's own, and seeded ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from onnxray.arrays import Array, Arrays
from onnxray.engines.casting import cast
from onnxray.engines.seeded_inputs import accepted_inputs, seeded_pixels
from onnxray.errors import ImageError
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile


def encoded(graph: Graph, profile: Profile, array: Array) -> Arrays:
    """What the judge is fed for pixels (N, channels, height, width) in [0, 255], of any size that the file takes."""
    value = graph.inputs[0]
    numbers = profile.encode(array)
    if value.dtype and not value.is_float:
        numbers = np.rint(numbers)
    return {value.name: cast(numbers, value, computed=True) if value.dtype != "bfloat16" else numbers}


def check_own(profile: Profile, pixels: Pixels) -> None:
    """Refuse pixels that were read for a model of another size or number of colours. Errors: ImageError."""
    if not pixels.plain and pixels.array.shape[1:] != profile.shape:
        raise ImageError(
            f"pixels of shape {list(pixels.array.shape[1:])} were read for another model; this one takes "
            f"{list(profile.shape)}: read the images by it, model.pixels(images)"
        )


def seeded(graph: Graph, profile: Profile | None, run: Callable[[Arrays], Mapping[str, Array]]) -> Array | Arrays:
    """What a model is checked on: two pictures, more where the file fixes a larger batch; else arrays that run takes.

    Errors: RuntimeRefusal where it takes none.
    """
    if profile is None:
        return accepted_inputs(graph, run)
    pixels = seeded_pixels(profile.shape)
    own = fixed_batch_of(graph) or 1
    return np.resize(pixels, (own, *pixels.shape[1:])) if own > len(pixels) else pixels
