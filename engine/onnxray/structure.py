"""What the parts of a graph are to a classifier: logits, features, the last convolution, layers with weights, batch."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from onnx import numpy_helper

if TYPE_CHECKING:
    from onnxray.graph import Graph, Node

_CLOSING = frozenset({"Softmax", "LogSoftmax", "QLinearSoftmax"})
_SIGMOIDS = frozenset({"Sigmoid", "QLinearSigmoid"})
_QUANTISERS = frozenset({"QuantizeLinear", "QLinearSoftmax", "QLinearSigmoid"})
_PASSING = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "Dropout", "QuantizeLinear",
                       "DequantizeLinear"})  # fmt: skip
_LINEAR = frozenset({"Gemm", "MatMul"})
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
_CLASSICAL = "ai.onnx.ml"
_MAP = "map"
_MOST_LENGTHS = 64
"""Numbers of a constant that may state a shape: arrays have no more axes."""


def find_logits(graph: Graph) -> str:
    """Give the value before a closing Softmax, LogSoftmax, QLinearSoftmax or Sigmoid, or the output where none closes.

    With several outputs, the first that a softmax closes is meant; with none such, ``verdict_output``, or the tensor
    that a ZipMap makes it from. A sigmoid counts where the output is known to be no more than one number a class. Of
    what QuantizeLinear gives, the real value that was quantised.
    """
    for output in graph.outputs:
        softmax = closing_softmax(graph, output.name)
        if softmax is not None:
            return _before_quantising(graph, softmax.inputs[0])
    verdict = verdict_output(graph)
    sigmoid = closing_sigmoid(graph, verdict)
    if sigmoid is not None:
        return _before_quantising(graph, sigmoid.inputs[0])
    node = graph.producer_of.get(verdict)
    return node.inputs[0] if node is not None and node.operator in {"ZipMap", "QuantizeLinear"} else verdict


def verdict_output(graph: Graph) -> str:
    """The graph output that the verdict is read from: the one that ``find_logits`` belongs to.

    A classifier of ``ai.onnx.ml`` gives its label first; the scores beside it are meant.
    """
    for output in graph.outputs:
        if closing_softmax(graph, output.name):
            return output.name
    first = graph.outputs[0]
    if classical_node(graph, first.name) is not None and not first.is_float:
        return next((o.name for o in graph.outputs if o.is_float or o.dtype == _MAP), first.name)
    return first.name


def closing_softmax(graph: Graph, output: str) -> Node | None:
    """The softmax of any kind that ``output`` comes from through nothing but changes of shape and type, if any."""
    node = _origin(graph, output)
    return node if node is not None and node.operator in _CLOSING and node.inputs else None


def closing_sigmoid(graph: Graph, output: str) -> Node | None:
    """The sigmoid that ``output``, one number a class, comes from through changes of shape and type alone, if any."""
    node, value = _origin(graph, output), graph.values.get(output)
    shape = value.shape if value is not None else None
    single = shape is None or (len(shape) >= 2 and all(size == 1 for size in shape[2:]))
    return node if single and node is not None and node.operator in _SIGMOIDS and node.inputs else None


def last_operator(graph: Graph, output: str) -> str | None:
    """The operator that ``output`` comes from through nothing but changes of shape and type."""
    node = graph.producer_of.get(output)
    if node is not None and node.operator == "ZipMap":
        return node.operator
    origin = _origin(graph, output)
    return None if origin is None else origin.operator


def rounds(graph: Graph, output: str, closing: Node) -> bool:
    """Whether what ``closing`` computes is quantised on its way to ``output``."""
    node = graph.producer_of.get(output)
    while node is not None and node.operator not in _QUANTISERS and node.index != closing.index and node.inputs:
        node = graph.producer_of.get(node.inputs[0])
    return node is not None and node.operator in _QUANTISERS


def _before_quantising(graph: Graph, name: str) -> str:
    node = graph.producer_of.get(name)
    return node.inputs[0] if node is not None and node.operator == "QuantizeLinear" else name


def classical_node(graph: Graph, output: str) -> Node | None:
    """The node of ``ai.onnx.ml`` that ``output`` comes from through nothing but changes of shape and type, if any."""
    node = _origin(graph, output)
    return node if node is not None and node.domain == _CLASSICAL else None


def class_labels(graph: Graph) -> tuple[int | str, ...] | None:
    """The classes as a classifier or ZipMap of ``ai.onnx.ml`` lists them, in the order of the scores."""
    for node in reversed(graph.needed_for([verdict_output(graph)])):
        for attribute in node.proto.attribute if node.domain == _CLASSICAL else ():
            if attribute.name.startswith("classlabels") and (attribute.ints or attribute.strings):
                return tuple(attribute.ints) or tuple(text.decode("utf-8", "replace") for text in attribute.strings)
    return None


def _origin(graph: Graph, output: str) -> Node | None:
    return graph.origins.get(output)


def find_origins(graph: Graph) -> dict[str, Node]:
    """Value -> the node that it comes from through nothing but changes of shape and type, if any."""
    found: dict[str, Node] = {}
    for node in graph.nodes:
        passing = node.operator in _PASSING and node.inputs
        origin = found.get(node.inputs[0]) if passing else node
        if origin is not None:
            found.update((name, origin) for name in node.outputs if name)
    return found


def find_features(graph: Graph, logits: str) -> str | None:
    """Give the input of the last linear layer before ``logits``: Gemm or MatMul with a weight, else a convolution."""
    upstream = graph.needed_for([logits])
    for operators in (_LINEAR, _CONVOLUTIONS):
        for node in reversed(upstream):
            if node.operator in operators and _has_weight(graph, node):
                return node.inputs[0]
    return None


def find_last_convolution(graph: Graph) -> str | None:
    """Give the output of the last convolution in graph order."""
    convolutions = [node for node in graph.nodes if node.operator in _CONVOLUTIONS]
    return convolutions[-1].outputs[0] if convolutions else None


def weight_layers(graph: Graph) -> tuple[str, ...]:
    """The outputs of the layers that carry weights, in graph order: convolutions and linear layers, biases included."""
    layers = []
    for node in graph.nodes:
        if node.operator in _LINEAR | _CONVOLUTIONS and _has_weight(graph, node):
            layers.append(_with_bias(graph, node))
    return tuple(dict.fromkeys(layers))


def layer_weights(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Layer (see ``weight_layers``) -> the initialisers and Constant values that its weight and bias come from.

    Followed back through whatever lies between (a Transpose, a DequantizeLinear), by each node's first operand.
    """
    found: dict[str, tuple[str, ...]] = {}
    sources: dict[str, str] = {}
    for node in graph.nodes:
        if node.operator in _LINEAR | _CONVOLUTIONS and _has_weight(graph, node):
            layer = _with_bias(graph, node)
            operands = [*node.inputs, *(graph.producer_of[layer].inputs if layer != node.outputs[0] else ())]
            constant = [name for name in operands if name and name not in graph.depends_on_input]
            stored = [_stored(graph, name, sources) for name in constant]
            found[layer] = tuple(dict.fromkeys([*found.get(layer, ()), *stored]))
    return found


def _stored(graph: Graph, name: str, sources: dict[str, str]) -> str:
    """The initialiser or Constant value that a constant value is computed from, by first operands.

    sources: what was found before, which is added to: a way that many share is walked once.
    """
    walked = []
    node = graph.producer_of.get(name)
    while name not in sources and node is not None and node.operator != "Constant" and node.inputs:
        walked.append(name)
        name = node.inputs[0]
        node = graph.producer_of.get(name)
    source = sources.get(name, name)
    sources.update(dict.fromkeys(walked, source))
    return source


def _has_weight(graph: Graph, node: Node) -> bool:
    """Whether one operand comes from the input and the other from constants alone."""
    moving = [name in graph.depends_on_input for name in node.inputs[:2]]
    return len(moving) == 2 and moving[0] and not moving[1]


def _with_bias(graph: Graph, node: Node) -> str:
    """A bias that stands in an Add of its own (CNTK, Keras) belongs to the layer."""
    output = node.outputs[0]
    readers = graph.readers_of.get(output, ())
    if len(readers) == 1 and readers[0].operator == "Add" and len(readers[0].inputs) == 2:
        constant = [name not in graph.depends_on_input for name in readers[0].inputs]
        if any(constant):
            return readers[0].outputs[0]
    return output


def find_fixed_batch(graph: Graph) -> int | None:
    """Give the batch that the file fixes, or None where it is free or the inputs have no common one.

    Fixed by the inputs' first dimension; or, where that is free, by a Reshape to constant lengths: [N, 3, 4] can only
    become [1, 12] where N is 1.
    """
    sizes = {value.shape[0] for value in graph.inputs if value.shape}
    sequences = any(value.shape is None and value.dtype in {"", "map"} for value in graph.inputs)
    if len(sizes) != 1 or sequences:
        return None
    size = sizes.pop()
    return size if isinstance(size, int) else _batch_of_reshapes(graph, size)


def _batch_of_reshapes(graph: Graph, free: str | None) -> int | None:
    """The least number of samples for which every Reshape to constant lengths fits its input."""
    if free is None:
        return None
    for node in graph.nodes:
        value = graph.values.get(node.inputs[0]) if node.operator == "Reshape" and len(node.inputs) == 2 else None
        if value is None or value.shape is None or len(value.shape) > _MOST_LENGTHS or value.shape.count(free) != 1:
            continue
        wanted = _whole_numbers(graph, node.inputs[1])
        rest = [dim for dim in value.shape if dim != free]
        known = [dim for dim in rest if isinstance(dim, int)]
        if min(wanted, default=0) > 0 and len(known) == len(rest) and prod(wanted) % max(1, prod(known)) == 0:
            return prod(wanted) // max(1, prod(known)) or None
    return None


def _whole_numbers(graph: Graph, name: str) -> list[int]:
    """The numbers of a constant shape; none where it is computed, or longer than any shape."""
    if name in graph.initializers:
        if prod(graph.initializers[name].dims) > _MOST_LENGTHS:
            return []
        return [int(length) for length in graph.weight(name).reshape(-1)]
    node = graph.producer_of.get(name)
    for attribute in node.proto.attribute if node is not None and node.operator == "Constant" else ():
        if attribute.name == "value" and prod(attribute.t.dims) <= _MOST_LENGTHS:
            return [int(length) for length in numpy_helper.to_array(attribute.t).reshape(-1)]
        if attribute.name == "value_ints" and len(attribute.ints) <= _MOST_LENGTHS:
            return list(attribute.ints)
    return []
