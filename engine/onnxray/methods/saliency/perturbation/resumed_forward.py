"""The judge from a middle value on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array, Arrays
from onnxray.errors import InputError
from onnxray.methods.saliency.perturbation.copies import Copies


class Resumed:
    """What is read of copies, computed from given values of ``layer``. One session, kept as long as this.

    What goes around the layer (skip connections) is the unchanged image's. Errors: InputError where nothing that is
    read depends on the layer, or where the layer has no batch axis.
    """

    def __init__(self, copies: Copies, layer: str) -> None:
        graph = copies.model.graph
        after = {layer}
        for node in graph.needed_for(copies.names):
            if after.intersection(node.reads):
                after.update(node.outputs)
        if not after.intersection(copies.objective.values):
            raise InputError(f"{copies.objective.describe(0)} does not depend on {layer!r}; name a value before it")
        self.copies, self.layer = copies, layer
        inputs = {value.name for value in graph.inputs}
        # Shapes, which are whole numbers, follow the batch; they are computed again from the input.
        beside = graph.beside(layer, copies.names)
        self._beside = [name for name in beside if name not in inputs and graph.values[name].is_float]
        self._segment = copies.model.judge.segment(copies.names, [layer, *self._beside])

    def values(self, feeds: Arrays) -> tuple[NDArray[Any], Arrays]:
        """The layer of one image, without its batch axis, and all else that is read after it."""
        found = self.copies.model.judge.values(feeds, [self.layer, *self._beside], once=True)
        value = found.pop(self.layer)
        for name, array in {self.layer: value, **found}.items():
            if not array.ndim or len(array) != 1:
                raise InputError(f"{name!r} has the shape {list(array.shape)} for one image, no batch of one")
        if value.dtype.kind != "f":
            raise InputError(f"{self.layer!r} holds {value.dtype}; a value of real numbers was expected")
        return value[0], {**feeds, **found}

    def forward(self, batch: Array, beside: Arrays) -> dict[str, Array]:
        """The values that ``Copies.read`` takes, from (M, ...) of the layer."""
        repeated = {name: np.repeat(array, len(batch), axis=0) for name, array in beside.items()}
        return self._segment({**repeated, self.layer: batch})
