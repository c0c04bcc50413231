"""What the parts of a graph are to a classifier: logits, features, the last convolution, the layers with weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxray.graph import Graph, Node

_CLOSING = frozenset({"Softmax", "LogSoftmax", "QLinearSoftmax"})
_PASSING = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "Dropout", "QuantizeLinear",
                       "DequantizeLinear"})  # fmt: skip
_WINDOWED = frozenset({"Conv", "QLinearConv", "MaxPool", "AveragePool"})
_LINEAR = frozenset({"Gemm", "MatMul"})
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
_CLASSICAL = "ai.onnx.ml"
_MAP = "map"
_SHAPES = frozenset({"int64", "bool"})


def find_logits(graph: Graph) -> str:
    """Give the value before a closing Softmax, LogSoftmax or QLinearSoftmax, or the output itself where none closes.

    With several outputs, the first that a softmax closes is meant; with none such, ``verdict_output``, or the tensor
    that a ZipMap makes it from. What QLinearSoftmax is given is the real value that was quantised for it, if any.
    """
    for output in graph.outputs:
        softmax = closing_softmax(graph, output.name)
        if softmax is not None:
            given = graph.producer_of.get(softmax.inputs[0])
            quantised = (
                softmax.operator == "QLinearSoftmax" and given is not None and given.operator == "QuantizeLinear"
            )
            return given.inputs[0] if quantised and given is not None else softmax.inputs[0]
    verdict = verdict_output(graph)
    node = graph.producer_of.get(verdict)
    return node.inputs[0] if node is not None and node.operator == "ZipMap" else verdict


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
    node = graph.producer_of.get(output)
    while node is not None and node.operator in _PASSING and node.inputs:
        node = graph.producer_of.get(node.inputs[0])
    return node


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


def depths(graph: Graph, end: str, count: int) -> tuple[str, ...]:
    """``count`` values at even depths, from the first layer with weights to the last before ``end``, in graph order.

    All that ``end`` knows of the input passes through each of them: of a layer in a branch, the value that the branches
    meet in is taken. Fewer where there are fewer.
    """
    weighted = frozenset(weight_layers(graph))
    waists: dict[int, str] = {}  # by how many layers with weights stand before: the first after each
    for name in _waists(graph, end):
        passed = sum(output in weighted for node in graph.needed_for([name]) for output in node.outputs)
        if passed:
            waists.setdefault(passed, name)
    found = list(waists.values())
    picked = {round(k * (len(found) - 1) / max(1, count - 1)) for k in range(count)} if found else set()
    return tuple(found[k] for k in sorted(picked))


def spatial_stride(graph: Graph, name: str, size: tuple[int, int], shape: Callable[[str], tuple[int, ...]]) -> int:
    """Pixels from one position to the next at the last convolution or pooling before ``name``; 1 where there is none.

    size: (height, width) of the input; shape: the shape that a value has for one image.
    """
    for node in reversed(graph.needed_for([name])):
        if node.operator in _WINDOWED:
            found = shape(node.outputs[0])
            return max(1, round(size[0] / found[2])) if len(found) == 4 else 1
    return 1


def _waists(graph: Graph, end: str) -> tuple[str, ...]:
    """The real values that every path from the input to ``end`` goes through, in graph order; shapes are no paths."""
    nodes = graph.needed_for([end])
    last = {name: place for place, node in enumerate(nodes) if not _only_shapes(graph, node) for name in node.reads}
    alive: set[str] = set()
    found = []
    for place, node in enumerate(nodes):
        values = (graph.values.get(name) for name in node.outputs)
        alive |= {v.name for v in values if v is not None and v.dtype not in _SHAPES}  # quantised ones are paths
        alive = {name for name in alive & graph.depends_on_input if name == end or last.get(name, -1) > place}
        if len(alive) == 1:
            found += [name for name in alive if graph.values[name].is_float or not graph.values[name].dtype]
    return tuple(dict.fromkeys(found))


def _only_shapes(graph: Graph, node: Node) -> bool:
    values = [graph.values[name] for name in node.outputs if name in graph.values]
    return all(value.dtype in _SHAPES for value in values)


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
