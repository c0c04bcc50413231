"""Which nodes are layers with weights: all, the last convolution, and the input of the last linear one."""

from __future__ import annotations

from onnxray.graph.facts import Graph, Node
from onnxray.graph.operator_kinds import CONVOLUTIONS, LINEAR


def find_features(graph: Graph, logits: str) -> str | None:
    """Give the input of the last linear layer before ``logits``: Gemm or MatMul with a weight, else a convolution."""
    upstream = graph.needed_for([logits])
    for operators in (LINEAR, CONVOLUTIONS):
        for node in reversed(upstream):
            if node.operator in operators and _has_weight(graph, node):
                return node.inputs[0]
    return None


def find_last_convolution(graph: Graph) -> str | None:
    """Give the output of the last convolution in graph order."""
    convolutions = [node for node in graph.nodes if node.operator in CONVOLUTIONS]
    return convolutions[-1].outputs[0] if convolutions else None


def weight_layers(graph: Graph) -> tuple[str, ...]:
    """The outputs of the layers that carry weights, in graph order: convolutions and linear layers, biases included."""
    layers = []
    for node in graph.nodes:
        if node.operator in LINEAR | CONVOLUTIONS and _has_weight(graph, node):
            layers.append(_with_bias(graph, node))
    return tuple(dict.fromkeys(layers))


def layer_weights(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Layer (see ``weight_layers``) -> the initialisers and Constant values that its weight and bias come from.

    Followed back through whatever lies between (a Transpose, a DequantizeLinear), by each node's first operand.
    """
    found: dict[str, tuple[str, ...]] = {}
    sources: dict[str, str] = {}
    for node in graph.nodes:
        if node.operator in LINEAR | CONVOLUTIONS and _has_weight(graph, node):
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
