"""What closes the outputs of a classifier, and the names that every model answers to: logits, features, last-conv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from onnxray.graph.facts import Graph, Node
from onnxray.graph.operator_kinds import QUANTISING, RESHAPING, UNCHANGING
from onnxray.graph.weight_layers import find_features, find_last_convolution

Kind = Literal["softmax", "log-softmax", "sigmoid"]

_CLOSING = frozenset({"Softmax", "LogSoftmax", "QLinearSoftmax"})
_SIGMOIDS = frozenset({"Sigmoid", "QLinearSigmoid"})
_QUANTISERS = frozenset({"QuantizeLinear", "QLinearSoftmax", "QLinearSigmoid"})
_PASSING = RESHAPING | UNCHANGING | QUANTISING | {"Cast"}
_CLASSICAL = "ai.onnx.ml"
_MAP = "map"


@dataclass(frozen=True, kw_only=True)
class Closing:
    """How a graph closes: what the output that the verdict is read from comes from, by changes of shape and type alone.

    kind, node: the softmax, its logarithm or the sigmoid (one number a class) that closes it; None where none does.
    output: that output. logits: the value before the closing node, or the output itself; of what QuantizeLinear gives,
    the real value that was quantised; of a ZipMap, the tensor that it is made from. rounded: whether numbers are
    quantised around the closing node, before it or on their way from it to the output.
    """

    kind: Kind | None
    node: Node | None
    output: str
    logits: str
    rounded: bool = False


def closing_of(graph: Graph) -> Closing:
    """How the graph closes; found once a graph.

    With several outputs, the first that a softmax closes is meant; with none such the first of all. A classifier of
    ``ai.onnx.ml`` gives its label first; the scores beside it are meant. A sigmoid counts where the output is known to
    be no more than one number a class.
    """
    return graph.once(_find_closing)


def logits_of(graph: Graph) -> str:
    """The value before the closing softmax or sigmoid, or the output itself: see ``Closing``."""
    return closing_of(graph).logits


def verdict_output(graph: Graph) -> str:
    """The graph output that the verdict is read from: see ``closing_of``."""
    return closing_of(graph).output


def features_of(graph: Graph) -> str | None:
    """The input of the last linear layer."""
    return graph.once(_find_features)


def aliases_of(graph: Graph) -> Mapping[str, str]:
    """Names that every model answers to, where it has what they mean."""
    return graph.once(_find_aliases)


def _find_features(graph: Graph) -> str | None:
    return find_features(graph, logits_of(graph))


def _find_aliases(graph: Graph) -> Mapping[str, str]:
    values = {"logits": logits_of(graph), "features": features_of(graph), "last-conv": find_last_convolution(graph)}
    return MappingProxyType({alias: name for alias, name in values.items() if name is not None})


def _find_closing(graph: Graph) -> Closing:
    for output in graph.outputs:
        softmax = softmax_behind(graph, output.name)
        if softmax is not None:
            return _closed(graph, output.name, softmax)
    name = _scores_output(graph)
    sigmoid = _sigmoid_behind(graph, name)
    if sigmoid is not None:
        return _closed(graph, name, sigmoid)
    node = graph.producer_of.get(name)
    logits = node.inputs[0] if node is not None and node.operator in {"ZipMap", "QuantizeLinear"} else name
    return Closing(kind=None, node=None, output=name, logits=logits)


def _closed(graph: Graph, output: str, node: Node) -> Closing:
    kind: Kind = "sigmoid" if node.operator in _SIGMOIDS else "softmax"
    kind = "log-softmax" if node.operator == "LogSoftmax" else kind
    logits = _before_quantising(graph, node.inputs[0])
    rounded = logits != node.inputs[0] or _quantised_on_its_way(graph, output, node)
    return Closing(kind=kind, node=node, output=output, logits=logits, rounded=rounded)


def _scores_output(graph: Graph) -> str:
    """The output that no softmax closes: the first, or the scores beside a classical classifier's label."""
    first = graph.outputs[0]
    if classical_node(graph, first.name) is not None and not first.is_float:
        return next((o.name for o in graph.outputs if o.is_float or o.dtype == _MAP), first.name)
    return first.name


def softmax_behind(graph: Graph, name: str) -> Node | None:
    """The softmax of any kind that any value comes from through nothing but changes of shape and type, if any."""
    node = _origin(graph, name)
    return node if node is not None and node.operator in _CLOSING and node.inputs else None


def _sigmoid_behind(graph: Graph, output: str) -> Node | None:
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


def _quantised_on_its_way(graph: Graph, output: str, closing: Node) -> bool:
    """Whether what ``closing`` computes is quantised on its way to ``output``, by itself or after."""
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
