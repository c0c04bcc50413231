"""Each output of a graph with its kind, and which of them is answered with where nobody says."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from onnxray.graph.facts import Graph
from onnxray.graph.operator_kinds import LAYER_OPERANDS
from onnxray.graph.outputs.boxes import MOST_OUTPUTS, boxes_of
from onnxray.graph.outputs.facts import CLASS_KINDS, OutputFacts, OutputKind, dims_of, holds_floats, reads_first
from onnxray.graph.outputs.labels import label_of
from onnxray.graph.outputs.masks import mask_of
from onnxray.graph.outputs.origins import CLASSICAL, nodes_before
from onnxray.graph.outputs.rows import row_of
from onnxray.graph.outputs.sequences import sequence_of

_FIRST: Final[tuple[OutputKind, ...]] = (
    "classes", "probabilities", "binary", "multi-label", "logits", "boxes", "mask", "sequence", "embedding",
    "regression", "labels", "box scores", "box classes", "box count", "unknown", "feature map",
)  # fmt: skip
"""The kinds in the order in which one of several outputs is answered with."""
_MOST_CLASSES: Final = 4
_CLOSED: Final = frozenset({"classes", "binary", "multi-label", "probabilities"})


def outputs_of(graph: Graph) -> tuple[OutputFacts, ...]:
    """The facts of every output, in the file's order; found once a graph."""
    return graph.once(_find_outputs)


def answered_output(graph: Graph) -> OutputFacts:
    """The output that is answered with where nobody names another: by what it is, then by its place in the file.

    Of several that only a last layer tells to be logits, the one with the most layers behind it: what is read beside it
    are features, or helpers of the training.
    """
    best = min(outputs_of(graph), key=lambda one: _FIRST.index(one.kind))
    if best.kind != "logits":
        return best
    return max((one for one in outputs_of(graph) if one.kind == "logits"), key=lambda one: _layers(graph, one.name))


def output_named(graph: Graph, name: str) -> OutputFacts | None:
    """The facts of the output of that name, if there is one."""
    return next((one for one in outputs_of(graph) if one.name == name), None)


def _find_outputs(graph: Graph) -> tuple[OutputFacts, ...]:
    boxes = boxes_of(graph)
    found = [boxes.get(output.name) or _alone(graph, output.name) for output in graph.outputs[:MOST_OUTPUTS]]
    why = f"not looked at: the file has {len(graph.outputs)} outputs"
    left = [OutputFacts(name=one.name, kind="unknown", grounds=why) for one in graph.outputs[MOST_OUTPUTS:]]
    return (*(_beside(graph, one, found) for one in found), *left)


def _alone(graph: Graph, name: str) -> OutputFacts:
    shape = dims_of(graph, name)
    for family in (label_of, mask_of, sequence_of, row_of):
        found = family(graph, name, shape)
        if found is not None:
            return found
    said = "of unknown shape" if shape is None else f"of the shape [{', '.join(str(dim or '?') for dim in shape)}]"
    return OutputFacts(name=name, kind="unknown", grounds=f"numbers {said}, and nothing tells what they are")


def _beside(graph: Graph, one: OutputFacts, found: list[OutputFacts]) -> OutputFacts:
    """What an output is beside others: the features that logits come from, the logits of what a softmax closes, numbers
    beside classes.
    """
    others = [other for other in found if other.name != one.name]
    classes = [other for other in others if other.kind in CLASS_KINDS]
    if one.kind in {"logits", "unknown", "regression", "embedding"} and (one.assumed or one.kind == "unknown"):
        for other in classes[:_MOST_CLASSES]:
            layers = _layers_between(graph, one.name, other.name)
            if layers is None:
                continue
            if layers:
                said = f"the {other.kind} of {other.name!r} are computed from it by a layer"
                return replace(one, kind="embedding", grounds=said, assumed=False)
            if other.kind in _CLOSED:
                return replace(one, kind="logits", grounds=f"what {other.name!r} is computed from", assumed=False)
        closed = next((other for other in classes if other.kind in _CLOSED), None)
        if one.kind == "logits" and closed is not None:
            said = f"numbers that nothing closes, beside the {closed.kind} of {closed.name!r}"
            return replace(one, kind="regression", grounds=said)
    label = next((other for other in others if other.kind == "labels"), None)
    if one.kind == "unknown" and label is not None and holds_floats(graph, one.name):
        shape = dims_of(graph, one.name)
        classical = any(node.domain == CLASSICAL for node in graph.nodes)
        related = classical or _layers_between(graph, one.name, label.name) is not None
        if related and shape is not None and len(shape) == 2:
            said = f"a row of numbers beside the label {label.name!r}"
            return replace(one, kind="probabilities", grounds=said, assumed=True)
    return one


def _layers(graph: Graph, name: str) -> int:
    return sum(node.operator in LAYER_OPERANDS for node in nodes_before(graph, name))


def _layers_between(graph: Graph, source: str, name: str) -> bool | None:
    """Whether layers with weights stand between two values; None where the second is not computed from the first."""
    source = reads_first(graph, source)
    reached, layers = {source}, False
    for node in reversed([*nodes_before(graph, name, given=source)]):
        if any(read in reached for read in node.reads):
            reached.update(node.outputs)
            layers = layers or node.operator in LAYER_OPERANDS
    return layers if name in reached else None
