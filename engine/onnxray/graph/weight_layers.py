"""Which nodes are layers with weights: all, the last convolution, and the input of the last linear one.

What a layer of an int8 file gives (QLinearConv, MatMulInteger, ..) are whole numbers, which have no gradient, and whose
distances and angles are off by their zero point. The real numbers that they stand for are meant: what DequantizeLinear
makes of them, in the file or for us alone, or Cast and the product with a scale.
"""

from __future__ import annotations

from onnxray.graph.dequantised import real_numbers_of
from onnxray.graph.facts import Graph, Node
from onnxray.graph.operator_kinds import (
    CONVOLUTIONS,
    INTEGER_CONVOLUTIONS,
    INTEGER_LINEAR,
    LAYER_OPERANDS,
    LINEAR,
    MOVING,
)
from onnxray.graph.whole_numbers import holds_reals

_QUANTISING = frozenset({"DynamicQuantizeLinear", "QuantizeLinear"})


def find_features(graph: Graph, logits: str) -> str | None:
    """Give the input of the last linear layer before ``logits``, of layers with a weight; else of a convolution.

    Of what was quantised for an int8 layer, the real value before that; of whole numbers that come out of another int8
    layer, what they stand for; None where that has no one scale: they are no representation as they are.
    """
    upstream = graph.needed_for([logits])
    for operators in (LINEAR | INTEGER_LINEAR, CONVOLUTIONS | INTEGER_CONVOLUTIONS):
        for node in reversed(upstream):
            if node.operator in operators and _has_weight(graph, node):
                return _real_input(graph, node)
    return None


def find_last_convolution(graph: Graph) -> str | None:
    """Give the output of the last convolution in graph order, as real numbers where those are known."""
    for node in reversed(graph.nodes):
        if node.operator in CONVOLUTIONS | INTEGER_CONVOLUTIONS:
            return _as_real(graph, node)
    return None


def weight_layers(graph: Graph) -> tuple[str, ...]:
    """The outputs of the layers that carry weights, in graph order: convolutions and linear layers, biases included."""
    return tuple(dict.fromkeys(_with_bias(graph, _as_real(graph, node)) for node in _layers(graph)))


def layer_weights(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Layer (see ``weight_layers``) -> the initialisers and Constant values that its weight and bias come from.

    Followed back through whatever lies between (a Transpose, a DequantizeLinear), by each node's first operand.
    """
    result: dict[str, tuple[str, ...]] = {}
    sources: dict[str, str] = {}
    for node in _layers(graph):
        value = _as_real(graph, node)
        layer = _with_bias(graph, value)
        operands = [node.inputs[place] for place in LAYER_OPERANDS[node.operator] if place < len(node.inputs)]
        operands += graph.producer_of[layer].inputs if layer != value else ()
        constant = [name for name in operands if name and name not in graph.depends_on_input]
        stored = [_stored(graph, name, sources) for name in constant]
        result[layer] = tuple(dict.fromkeys([*result.get(layer, ()), *stored]))
    return result


def _layers(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.operator in LAYER_OPERANDS and _has_weight(graph, node)]


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
    """Whether what is weighed comes from the input and the weight from constants alone."""
    weight = LAYER_OPERANDS[node.operator][0]
    if weight >= len(node.inputs):
        return False
    return node.inputs[0] in graph.depends_on_input and node.inputs[weight] not in graph.depends_on_input


def _as_real(graph: Graph, node: Node) -> str:
    """The real numbers of what a layer gives, where they are known; else its output as it is."""
    output = node.outputs[0]
    if holds_reals(graph, output):
        return output
    real = real_numbers_of(graph, output)
    if real is not None:
        return real
    readers = graph.readers_of.get(output, ())
    if len(readers) == 1 and readers[0].operator == "Cast":
        cast = readers[0].outputs[0]
        scaled = graph.readers_of.get(cast, ())
        if len(scaled) == 1 and scaled[0].operator == "Mul":
            factors = set(scaled[0].inputs) - {cast}
            return scaled[0].outputs[0] if _are_scales(graph, node, factors) else output
    return output


def _are_scales(graph: Graph, node: Node, names: set[str]) -> bool:
    """Whether numbers are constant, or the scale that DynamicQuantizeLinear gives beside what a layer weighs.

    Or the product of both.
    """
    quantised = graph.producer_of.get(node.inputs[0])
    dynamic = quantised.outputs[1:2] if quantised is not None and quantised.operator == "DynamicQuantizeLinear" else ()
    makers = ((name, graph.producer_of.get(name)) for name in names)
    factors = [maker.inputs if maker is not None and maker.operator == "Mul" else (name,) for name, maker in makers]
    return all(name in dynamic or name not in graph.depends_on_input for part in factors for name in part)


def _real_input(graph: Graph, node: Node) -> str | None:
    """The real numbers that a layer weighs; None where they are not known."""
    if holds_reals(graph, node.inputs[0]):
        return node.inputs[0]
    before = graph.producer_of.get(node.inputs[0])
    while before is not None and before.operator in MOVING:
        before = graph.producer_of.get(before.inputs[0])
    if before is not None and before.operator in _QUANTISING:
        return before.inputs[0]
    return real_numbers_of(graph, node.inputs[0])


def _with_bias(graph: Graph, output: str) -> str:
    """A bias that stands in an Add of its own (CNTK, Keras) belongs to the layer."""
    readers = graph.readers_of.get(output, ())
    if len(readers) == 1 and readers[0].operator == "Add" and len(readers[0].inputs) == 2:
        constant = [name not in graph.depends_on_input for name in readers[0].inputs]
        if any(constant):
            return readers[0].outputs[0]
    return output
