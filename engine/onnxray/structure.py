"""What the parts of a graph are to a classifier: logits, features, the last convolution, the layers with weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxray.graph import Graph, Node

_CLOSING = frozenset({"Softmax", "LogSoftmax"})
_PASSING = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "Dropout", "QuantizeLinear",
                       "DequantizeLinear"})  # fmt: skip
_LINEAR = frozenset({"Gemm", "MatMul"})
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})


def find_logits(graph: Graph) -> str:
    """Give the value before a closing Softmax or LogSoftmax, or the output itself where none closes the graph.

    With several outputs, the first that a softmax closes is meant; with none such, the first output.
    """
    for output in graph.outputs:
        softmax = closing_softmax(graph, output.name)
        if softmax is not None:
            return softmax.inputs[0]
    return graph.outputs[0].name


def verdict_output(graph: Graph) -> str:
    """The graph output that the verdict is read from: the one that ``find_logits`` belongs to."""
    closed = (output.name for output in graph.outputs if closing_softmax(graph, output.name))
    return next(closed, graph.outputs[0].name)


def closing_softmax(graph: Graph, output: str) -> Node | None:
    """The Softmax or LogSoftmax that ``output`` comes from through nothing but changes of shape, if any."""
    node = graph.producer_of.get(output)
    while node is not None and node.operator in _PASSING and node.inputs:
        node = graph.producer_of.get(node.inputs[0])
    return node if node is not None and node.operator in _CLOSING and node.inputs else None


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
    for node in graph.nodes:
        if node.operator in _LINEAR | _CONVOLUTIONS and _has_weight(graph, node):
            layer = _with_bias(graph, node)
            operands = [*node.inputs, *(graph.producer_of[layer].inputs if layer != node.outputs[0] else ())]
            constant = [name for name in operands if name and name not in graph.depends_on_input]
            stored = [_stored(graph, name) for name in constant]
            found[layer] = tuple(dict.fromkeys([*found.get(layer, ()), *stored]))
    return found


def _stored(graph: Graph, name: str) -> str:
    """The initialiser or Constant value that a constant value is computed from, by first operands."""
    node = graph.producer_of.get(name)
    while node is not None and node.operator != "Constant" and node.inputs:
        name = node.inputs[0]
        node = graph.producer_of.get(name)
    return name


def _has_weight(graph: Graph, node: Node) -> bool:
    """Whether one operand comes from the input and the other from constants alone."""
    moving = [name in graph.depends_on_input for name in node.inputs[:2]]
    return len(moving) == 2 and moving[0] and not moving[1]


def _with_bias(graph: Graph, node: Node) -> str:
    """A bias that stands in an Add of its own (CNTK, Keras) belongs to the layer."""
    output = node.outputs[0]
    readers = graph.readers_of.get(output, ())
    if len(readers) == 1 and readers[0].operator == "Add":
        constant = [name not in graph.depends_on_input for name in readers[0].inputs]
        if any(constant):
            return readers[0].outputs[0]
    return output
