"""What closes the outputs of a classifier, and the names that every model answers to: logits, features, last-conv."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from onnxray.graph.facts import Graph, Node
from onnxray.graph.operator_kinds import QUANTISING, RESHAPING, UNCHANGING
from onnxray.graph.weight_layers import find_features, find_last_convolution

_CLOSING = frozenset({"Softmax", "LogSoftmax", "QLinearSoftmax"})
_SIGMOIDS = frozenset({"Sigmoid", "QLinearSigmoid"})
_QUANTISERS = frozenset({"QuantizeLinear", "QLinearSoftmax", "QLinearSigmoid"})
_PASSING = RESHAPING | UNCHANGING | QUANTISING | {"Cast"}
_CLASSICAL = "ai.onnx.ml"
_MAP = "map"


def logits_of(graph: Graph) -> str:
    """The value before the closing softmax, or the output itself."""
    return graph.once(_find_logits)


def features_of(graph: Graph) -> str | None:
    """The input of the last linear layer."""
    return graph.once(_find_features)


def aliases_of(graph: Graph) -> Mapping[str, str]:
    """Names that every model answers to, where it has what they mean."""
    return graph.once(_find_aliases)


def _find_features(graph: Graph) -> str | None:
    return find_features(graph, logits_of(graph))


def _find_aliases(graph: Graph) -> Mapping[str, str]:
    found = {"logits": logits_of(graph), "features": features_of(graph), "last-conv": find_last_convolution(graph)}
    return MappingProxyType({alias: name for alias, name in found.items() if name is not None})


def _find_logits(graph: Graph) -> str:
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
    """The graph output that the verdict is read from: the one that ``logits_of`` belongs to.

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
    return graph.once(_find_origins).get(output)


def _find_origins(graph: Graph) -> dict[str, Node]:
    """Value -> the node that it comes from through nothing but changes of shape and type, if any."""
    found: dict[str, Node] = {}
    for node in graph.nodes:
        passing = node.operator in _PASSING and node.inputs
        origin = found.get(node.inputs[0]) if passing else node
        if origin is not None:
            found.update((name, origin) for name in node.outputs if name)
    return found
