"""Pixels as a graph's input takes them, whether they are a model's own, and seeded ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from onnxray.arrays import Array, Arrays
from onnxray.engines.casting import cast
from onnxray.engines.seeded_inputs import accepted_inputs, seeded_pixels
from onnxray.errors import ImageError, InputError
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of, has_no_batch
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile


def encoded(graph: Graph, profile: Profile, array: Array) -> Arrays:
    """What the judge is fed for pixels (N, channels, height, width) in [0, 255], of any size that the file takes."""
    value = graph.inputs[0]
    numbers = profile.encode(array)
    if value.dtype and not value.is_float:
        numbers = np.rint(numbers)
    return {value.name: cast(numbers, value, computed=True) if value.dtype != "bfloat16" else numbers}


def as_samples(graph: Graph, arrays: Arrays) -> Pixels:
    """Arrays of a model of one input as samples, one after the other; one alone where the file has no axis for more.

    Errors: InputError for several inputs, and for one without axes.
    """
    if len(arrays) != 1:
        names = ", ".join(map(repr, arrays))
        raise InputError(
            f"methods explain one input, and this model reads {names}; the gradient of each: "
            "model.pullback(arrays, {value: cotangent})"
        )
    (array,) = arrays.values()
    if not array.ndim or not len(array):
        raise InputError("the model's input is no image; give arrays as the model takes them")
    return Pixels.of(array[None] if has_no_batch(graph) else array, plain=True)


def own_array(graph: Graph, images: object) -> object:
    """What is fed of samples that ``as_samples`` gave; everything else as it is. Errors: InputError."""
    if not isinstance(images, Pixels):
        return images
    if not has_no_batch(graph):
        return images.array
    if len(images) > 1:
        raise InputError(f"the file takes one sample without a batch axis, and {len(images)} were to be fed at once")
    return images.array[0]


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
