"""What an output comes from: the node behind changes of shape and type, and what else stands behind it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import attribute
from onnxray.graph.operator_kinds import (
    BROADCASTING,
    CONVOLUTIONS,
    LAYER_OPERANDS,
    QUANTISING,
    RESHAPING,
    UNCHANGING,
)

SOFTMAXES = frozenset({"Softmax", "LogSoftmax", "QLinearSoftmax"})
SIGMOIDS = frozenset({"Sigmoid", "QLinearSigmoid"})
CLASSICAL = "ai.onnx.ml"

_PASSING = RESHAPING | UNCHANGING | QUANTISING | {"Cast"}
_POOLING = frozenset({"GlobalAveragePool", "GlobalMaxPool", "AveragePool", "ReduceMean", "QLinearGlobalAveragePool"})
_TO_LAYER = (
    _PASSING | _POOLING | {"Transpose", "Relu", "LeakyRelu", "PRelu", "Clip", "Neg", "Slice", "Gather", "Min", "Max"}
)
"""What may stand between a layer with weights and what it gives."""
_FARTHEST = 40
_MOST_NODES = 20_000


def origin_of(graph: Graph, name: str) -> Node | None:
    """The node that a value comes from through nothing but changes of shape and type, if any."""
    return graph.once(_find_origins).get(name)


def moved_origin_of(graph: Graph, name: str) -> Node | None:
    """The same, axes that change places passed as well."""
    node = origin_of(graph, name)
    for _ in range(_FARTHEST):
        if node is None or node.operator != "Transpose" or not node.inputs:
            return node
        node = origin_of(graph, node.inputs[0])
    return node


def softmax_behind(graph: Graph, name: str) -> Node | None:
    """The softmax of any kind that any value comes from through nothing but changes of shape and type, if any."""
    node = origin_of(graph, name)
    return node if node is not None and node.operator in SOFTMAXES and node.inputs else None


def softmax_axis(graph: Graph, node: Node) -> tuple[int, bool]:
    """The axis of a softmax node, and whether it runs over all axes from there on (operator sets before 13)."""
    newer = attribute(node, "opset", graph.opsets.get("ai.onnx", 13)) >= 13
    return int(attribute(node, "axis", -1 if newer else 1)), not newer


def closing_node(graph: Graph, name: str) -> Node | None:
    """The softmax or sigmoid that closes a value, or the first of the parts that are joined to it; None of others."""
    node = moved_origin_of(graph, name)
    if node is not None and node.operator == "Concat" and node.inputs:
        node = moved_origin_of(graph, node.inputs[0])
    return node if node is not None and node.operator in SIGMOIDS | SOFTMAXES else None


def last_operator(graph: Graph, output: str) -> str | None:
    """The operator that ``output`` comes from through nothing but changes of shape and type."""
    node = graph.producer_of.get(output)
    if node is not None and node.operator == "ZipMap":
        return node.operator
    origin = origin_of(graph, output)
    return None if origin is None else origin.operator


def classical_node(graph: Graph, output: str) -> Node | None:
    """The node of ``ai.onnx.ml`` that ``output`` comes from through nothing but changes of shape and type, if any."""
    node = origin_of(graph, output)
    return node if node is not None and node.domain == CLASSICAL else None


def layer_behind(graph: Graph, name: str) -> tuple[Node, frozenset[str]] | None:
    """The layer with weights that gives a value, and the operators between: biases, scales, activations and pooling."""
    passed, node = set[str](), graph.producer_of.get(name)
    for _ in range(_FARTHEST):
        if node is None or not node.inputs:
            return None
        if node.operator in LAYER_OPERANDS:
            passed.update(filter(None, [attribute(node, "activation", "")]))
            return (node, frozenset(passed)) if _weighs(graph, node) else None
        moving = [one for one in node.inputs if one in graph.depends_on_input]
        alone = node.operator in BROADCASTING and len(moving) == 1
        if not moving or not (alone or node.operator in _TO_LAYER | {"BatchNormalization"}):
            return None
        passed.add(node.operator)
        node = graph.producer_of.get(moving[0])
    return None


def _weighs(graph: Graph, node: Node) -> bool:
    weight = LAYER_OPERANDS[node.operator][0]
    moving = node.inputs[0] in graph.depends_on_input
    return moving and weight < len(node.inputs) and node.inputs[weight] not in graph.depends_on_input


def nodes_before(graph: Graph, name: str, given: str | None = None) -> Iterator[Node]:
    """The nodes that a value is computed by, the last first; none before ``given``.

    Of so many nodes as no network has the nearest alone: a hostile file may have a million, and many outputs.
    """
    pending, seen = list[int](), set[int]()

    def look(value: str) -> None:
        node = graph.producer_of.get(value) if value != given else None
        if node is not None and node.index not in seen:
            seen.add(node.index)
            heapq.heappush(pending, -node.index)

    look(name)
    for _ in range(_MOST_NODES):
        if not pending:
            return
        node = graph.every_node[-heapq.heappop(pending)]
        yield node
        for value in node.reads:
            look(value)


def behind(graph: Graph, name: str, wanted: Callable[[Node], bool]) -> Node | None:
    """The last node that is wanted among those that a value is computed by."""
    return next((node for node in nodes_before(graph, name) if wanted(node)), None)


def channel_axis(graph: Graph, name: str, rank: int) -> int:
    """Where the channels of a value with rows and columns stand: a softmax's axis, or 1 behind a convolution, as
    transposed since; 1 where that cannot be followed.
    """
    perms: list[list[int]] = []
    node = graph.producer_of.get(name)
    for _ in range(_FARTHEST):
        if node is None or not node.inputs or node.operator in RESHAPING:
            break
        if node.operator in SOFTMAXES:
            return _moved(softmax_axis(graph, node)[0] % rank, perms)
        if node.operator in CONVOLUTIONS | {"Resize", "Upsample", "DepthToSpace", "MaxPool", "AveragePool"}:
            return _moved(1, perms)
        if node.operator == "Transpose":
            perms.append(list(attribute(node, "perm", list(range(rank))[::-1])))
        moving = [one for one in node.inputs if one in graph.depends_on_input]
        node = graph.producer_of.get(moving[0]) if moving else None
    return _moved(1, perms) if perms and node is not None else 1


def _moved(axis: int, perms: list[list[int]]) -> int:
    """Where an axis stands after the transpositions, the last of which is the first in the list."""
    for perm in reversed(perms):
        if axis in perm:
            axis = perm.index(axis)
    return axis


def _find_origins(graph: Graph) -> dict[str, Node]:
    """Value -> the node that it comes from through nothing but changes of shape and type, if any."""
    found: dict[str, Node] = {}
    for node in graph.nodes:
        passing = node.operator in _PASSING and node.inputs
        origin = found.get(node.inputs[0]) if passing else node
        if origin is not None:
            found.update((name, origin) for name in node.outputs if name)
    return found
