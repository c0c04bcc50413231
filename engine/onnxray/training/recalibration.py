"""The statistics of BatchNormalization measured anew, by the judge, on clean pictures.

mean, var over samples and positions of each channel of a node's input; node by node in the graph's order, each
measured on what the statistics before it make of the pictures, so that they fit each other in the written file
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from onnxray.arrays import Array
from onnxray.graph.facts import Graph, Node
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Progress
from onnxray.model.model import Model
from onnxray.training.network import model_with

_INPUTS = 5


def normalisations(graph: Graph) -> list[Node]:
    """The nodes whose mean and variance are initialisers of the file that no other of them reads."""
    found = [node for node in graph.nodes if node.operator == "BatchNormalization" and len(node.inputs) >= _INPUTS]
    read = Counter(name for node in found for name in node.inputs[3:5])
    return [node for node in found if all(n in graph.initializers and read[n] == 1 for n in node.inputs[3:5])]


def recalibrated(model: Model, pixels: Pixels, progress: Progress) -> dict[str, Array]:
    """Name of a mean or a variance -> what was measured, as the file holds it."""
    found: dict[str, Array] = {}
    nodes = normalisations(model.graph)
    for place, node in enumerate(nodes):
        now = model_with(model, found) if found else model
        value = now.values(pixels, [node.inputs[0]])[node.inputs[0]].astype(np.float64)
        axes = tuple(k for k in range(value.ndim) if k != 1)
        for name, array in zip(node.inputs[3:5], (value.mean(axes), value.var(axes))):
            found[name] = array.astype(model.graph.weight(name).dtype)
        progress(place + 1, len(nodes), "statistics of batch normalisation")
    return found
