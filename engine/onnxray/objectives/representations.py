"""Representations that are given alone, without the images they came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.model.model import Model
from onnxray.objectives.goals import TargetValues


def given_representations(
    model: Model, goal: TargetValues, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Mapping[str, NDArray[np.float32]], int]:
    """Layer -> (count, *shape), and the count: one or several a layer, checked against the shapes of one image's.

    Errors: InputError for other shapes, NaN, infinity, a layer for which there is none, and counts that differ.
    """
    if isinstance(goal.values, Mapping):
        arrays = _by_layer(model, goal.values)
    elif len(shapes) == 1:
        arrays = dict.fromkeys(shapes, goal.values)
    else:
        raise InputError(f"one representation was given for {len(shapes)} layers; name its layer, or give an .npz file")
    found: dict[str, NDArray[np.float32]] = {}
    for layer, shape in shapes.items():
        if layer not in arrays:
            raise InputError(f"no target representation was given for {layer!r}; there are some for {sorted(arrays)}")
        array = _numbers(arrays[layer], layer)
        if array.shape == shape:
            array = array[None]
        if array.shape[1:] != shape or len(array) == 0:
            raise InputError(
                f"the target's representation has the shape {list(array.shape)}; {layer!r} has {list(shape)} an image"
            )
        found[layer] = array
    counts = {len(array) for array in found.values()}
    if len(counts) != 1:
        raise InputError(f"the layers have different numbers of target representations: {sorted(counts)}")
    return found, counts.pop()


def _by_layer(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays by the whole names of their layers."""
    found: dict[str, Any] = {}
    for name, array in values.items():
        layers = model.select_values([str(name)])
        if len(layers) != 1 or layers[0] in found:
            raise InputError(f"the representation named {str(name)!r} is of no single layer, or of another one's")
        found[layers[0]] = array
    return found


def _numbers(given: Any, layer: str) -> NDArray[np.float32]:
    """Finite float32 numbers."""
    try:
        array = np.asarray(given)
    except ValueError:  # lists of unequal lengths
        array = np.array(None)
    if array.dtype.kind in "fiub":
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
        if np.isfinite(array).all():
            return array
    raise InputError(f"the target's representation for {layer!r} must hold finite numbers alone")
