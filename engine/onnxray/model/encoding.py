"""Pixels as a graph's input takes them, and whether they are a model's own."""

from __future__ import annotations

import numpy as np

from onnxray.arrays import Array, Arrays
from onnxray.engines.casting import cast
from onnxray.errors import ImageError
from onnxray.graph.facts import Graph
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
