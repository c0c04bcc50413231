"""Networks whose weights were drawn anew, layer by layer from the output down (Adebayo et al. 2018, arXiv 1810.03292).

    w' ~ N(mean w, sd w) for each tensor of a layer ("normal"), or a random order of its own numbers ("permuted")

A map that stays the same shows the image rather than what the network has learnt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxray.errors import InputError
from onnxray.graph.facts import Graph
from onnxray.graph.file.attribute_values import held_tensor
from onnxray.graph.reading import read_graph
from onnxray.graph.weight_layers import layer_weights
from onnxray.model.model import Model

Draw = Literal["normal", "permuted"]
Order = Literal["cascade", "independent"]

# What protobuf can hold in one piece, which a changed model is.
_LARGEST = 2_000_000_000


def reinitialised(
    model: Model, *, order: Order = "cascade", draw: Draw = "normal", stages: int = 12, random: np.random.Generator
) -> Iterator[tuple[str, Model]]:
    """(layer, the model with the weights of this layer, and in a cascade of all layers after it, drawn anew).

    From the output down; at most ``stages`` layers, evenly chosen, the first layer among them. Biases are drawn too,
    other parameters (normalisations) are kept. What a quantised layer stores are integers: they are drawn in their
    range. Each model is opened with the same profile, so that its twin is compared with ONNX Runtime before use.
    Errors: InputError where there are no layers with weights, or the model is too large; ModelFileError.
    """
    weights = {layer: names for layer, names in layer_weights(model.graph).items() if names}
    layers = list(weights)[::-1]
    if not layers:
        raise InputError(
            "the graph has no convolution or linear layer with weights of its own that could be drawn anew"
        )
    base = _whole(model.graph)
    stored = _tensors(base)
    drawn: dict[str, onnx.TensorProto] = {}
    for layer in layers:
        for name in weights[layer]:
            if name not in stored:
                raise InputError(
                    f"the weights {name!r} of {layer!r} are computed in the graph and cannot be drawn anew"
                )
            if name not in drawn:
                drawn[name] = _anew(stored[name], draw, random)
    last = np.unique(np.rint(np.linspace(len(layers), 1, min(stages, len(layers)))).astype(int)) - 1
    for place in last.tolist():
        taken = layers[: place + 1] if order == "cascade" else [layers[place]]
        changed = with_tensors(base, {name: drawn[name] for layer in taken for name in weights[layer]})
        yield layers[place], Model(read_graph(changed), model.profile, model.device)


def with_tensors(model: onnx.ModelProto, tensors: Mapping[str, onnx.TensorProto]) -> onnx.ModelProto:
    """A copy of a model with other values for these initialisers and Constant nodes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for name, tensor in _tensors(copy).items():
        if name in tensors:
            tensor.CopyFrom(tensors[name])
    return copy


def _anew(tensor: onnx.TensorProto, draw: Draw, random: np.random.Generator) -> onnx.TensorProto:
    old = numpy_helper.to_array(tensor)
    return numpy_helper.from_array(drawn_like(old, draw, random), tensor.name)


def drawn_like(old: NDArray[Any], draw: Draw, random: np.random.Generator) -> NDArray[Any]:
    """N(mean, sd) of the numbers of ``old``, or these numbers in another order; integers are rounded and kept in range.

    sd is over all of the tensor's numbers (not n - 1).
    """
    if draw == "permuted":
        return random.permutation(old.ravel()).reshape(old.shape)
    real = old.astype(np.float64)
    new = random.normal(real.mean(), real.std(), old.shape)
    if old.dtype.kind in "iu":
        limits = np.iinfo(old.dtype)
        new = np.clip(np.rint(new), limits.min, limits.max)
    return np.asarray(new).astype(old.dtype)


def _whole(graph: Graph) -> onnx.ModelProto:
    """The model with all of its weights in it, external ones too."""
    size = sum(region.length for region in graph.container.regions.values())
    if size > _LARGEST:
        raise InputError(
            f"the model's weights take {size / 1e9:.1f} GB; with other weights it must fit into one file of "
            f"{_LARGEST / 1e9:.0f} GB"
        )
    return graph.container.whole()


def _tensors(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Name -> tensor of the initialisers and, as Paddle writes weights, of the Constant nodes."""
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    held = ((node.output[0], held_tensor(node)) for node in model.graph.node)
    return found | {name: tensor for name, tensor in held if tensor is not None}
