"""What closes the outputs of a classifier, and the names that every model answers to: logits, features, last-conv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from onnxray.graph.dequantised import real_numbers_of
from onnxray.graph.facts import Graph, Node
from onnxray.graph.outputs.facts import OutputFacts, OutputKind, dims_of, width_of
from onnxray.graph.outputs.origins import CLASSICAL, SIGMOIDS, origin_of, softmax_behind
from onnxray.graph.outputs.output_kinds import answered_output, outputs_of
from onnxray.graph.weight_layers import find_features, find_last_convolution

Kind = Literal["softmax", "log-softmax", "sigmoid"]
Stated = Literal["softmax", "sigmoid", "probability"]

_QUANTISERS = frozenset({"QuantizeLinear", "QLinearSoftmax", "QLinearSigmoid"})
_STATED: Mapping[OutputKind, Stated] = {
    "classes": "softmax", "logits": "softmax", "binary": "sigmoid", "multi-label": "sigmoid",
    "probabilities": "probability",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Closing:
    """How a graph closes: what the output that the verdict is read from comes from, by changes of shape and type alone.

    kind, node: the softmax, its logarithm or the sigmoid (one number a class) that closes it; None where none does.
    output: that output. logits: the value before the closing node, or the output itself; of what QuantizeLinear gives,
    the real value that was quantised; of a ZipMap, the tensor that it is made from. rounded: whether numbers are
    quantised around the closing node, before it or on their way from it to the output. stated: what a user says that
    makes probabilities of numbers that nothing closes.
    """

    kind: Kind | None
    node: Node | None
    output: str
    logits: str
    rounded: bool = False
    stated: Stated | None = None


def closing_of(graph: Graph) -> Closing:
    """How the graph closes, at the output that is answered with where nobody names another; found once a graph.

    Of a detector, the scores of its boxes are meant; of a classifier of ``ai.onnx.ml`` the scores beside its label.
    """
    return graph.once(_find_closing)


def closing_at(graph: Graph, output: OutputFacts) -> Closing:
    """How the graph closes at an output; a sigmoid counts where it is known to be no more than one number a class."""
    name = output.name
    softmax = softmax_behind(graph, name)
    if softmax is not None:
        return _closed(graph, name, softmax)
    sigmoid = _sigmoid_behind(graph, name)
    if sigmoid is not None:
        return _closed(graph, name, sigmoid)
    node = graph.producer_of.get(name)
    logits = node.inputs[0] if node is not None and node.operator in {"ZipMap", "QuantizeLinear"} else name
    form = _STATED.get(output.kind) if output.stated else None
    return Closing(kind=None, node=None, output=name, logits=logits, stated=form)


def logits_of(graph: Graph) -> str:
    """The value before the closing softmax or sigmoid, or the output itself: see ``Closing``."""
    return closing_of(graph).logits


def verdict_output(graph: Graph) -> str:
    """The graph output that the verdict is read from: see ``closing_of``."""
    return closing_of(graph).output


def features_of(graph: Graph) -> str | None:
    """The input of the last linear layer."""
    return aliases_of(graph).get("features")


def aliases_of(graph: Graph) -> Mapping[str, str]:
    """Names that every model answers to, where it has what they mean."""
    return graph.once(_find_aliases)


def aliases_at(graph: Graph, closing: Closing) -> Mapping[str, str]:
    """The same, of the output at which a graph closes so."""
    logits = closing.logits
    values = {
        "logits": logits, "features": find_features(graph, logits), "last-conv": find_last_convolution(graph),
    }  # fmt: skip
    return MappingProxyType({alias: name for alias, name in values.items() if name is not None})


def _find_aliases(graph: Graph) -> Mapping[str, str]:
    return aliases_at(graph, closing_of(graph))


def _find_closing(graph: Graph) -> Closing:
    answered = answered_output(graph)
    scores = next((one for one in outputs_of(graph) if one.kind == "box scores"), answered)
    return closing_at(graph, scores if answered.kind == "boxes" else answered)


def _closed(graph: Graph, output: str, node: Node) -> Closing:
    kind: Kind = "sigmoid" if node.operator in SIGMOIDS else "softmax"
    kind = "log-softmax" if node.operator == "LogSoftmax" else kind
    logits = _before_quantising(graph, node.inputs[0])
    rounded = logits != node.inputs[0] or _quantised_on_its_way(graph, output, node)
    logits = real_numbers_of(graph, logits) or logits
    return Closing(kind=kind, node=node, output=output, logits=logits, rounded=rounded)


def _sigmoid_behind(graph: Graph, output: str) -> Node | None:
    node = origin_of(graph, output)
    single = width_of(dims_of(graph, output)) != "no row"
    return node if single and node is not None and node.operator in SIGMOIDS and node.inputs else None


def _quantised_on_its_way(graph: Graph, output: str, closing: Node) -> bool:
    """Whether what ``closing`` computes is quantised on its way to ``output``, by itself or after."""
    node = graph.producer_of.get(output)
    while node is not None and node.operator not in _QUANTISERS and node.index != closing.index and node.inputs:
        node = graph.producer_of.get(node.inputs[0])
    return node is not None and node.operator in _QUANTISERS


def _before_quantising(graph: Graph, name: str) -> str:
    node = graph.producer_of.get(name)
    return node.inputs[0] if node is not None and node.operator == "QuantizeLinear" else name


def class_labels(graph: Graph, output: str) -> tuple[int | str, ...] | None:
    """The classes as a classifier or ZipMap of ``ai.onnx.ml`` lists them, in the order of the scores of an output."""
    for node in reversed(graph.needed_for([output])):
        for attribute in node.proto.attribute if node.domain == CLASSICAL else ():
            if attribute.name.startswith("classlabels") and (attribute.ints or attribute.strings):
                return tuple(attribute.ints) or tuple(text.decode("utf-8", "replace") for text in attribute.strings)
    return None
