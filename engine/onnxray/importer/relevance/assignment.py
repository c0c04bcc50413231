"""Which rule each node gets, by its operator and its place; what has none is refused by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from onnxray.errors import UnsupportedOperator
from onnxray.graph.facts import Graph, Node
from onnxray.importer.fusions.gelu import gelu
from onnxray.importer.fusions.layernorm import layer_norm
from onnxray.importer.fusions.pattern import Cut, Fusion
from onnxray.importer.relevance.linear_layers import LinearLayer, linear_layers
from onnxray.importer.relevance.operators import (
    AFFINE,
    FOREIGN,
    PASS,
    PROPORTIONAL,
    RESIZES,
    THROUGH,
    carriers,
    computed_reads,
    gate_rank,
)
from onnxray.importer.relevance.rules import LinearRule, Plan, Step
from onnxray.importer.walk import Importer

Choice = Callable[[LinearLayer, bool], LinearRule]
"""(layer, whether no other linear layer stands between it and the input) -> its rule."""

_NAMED = 4


@dataclass(frozen=True, eq=False)
class Parts:
    """The nodes of a cut grouped: linear layers and patterns by their last node."""

    nodes: tuple[Node, ...]
    layers: dict[int, LinearLayer]
    fused: dict[int, Fusion]


def parts_of(importer: Importer, names: tuple[str, ...]) -> Parts:
    """What stands between the inputs and ``names``, grouped."""
    graph = importer.graph
    nodes = tuple(node for node in graph.needed_for(names) if node.operator != "Constant")
    cut = Cut(graph, importer.weights, nodes, names, importer.scope)
    layers = {layer.end.index: layer for layer in linear_layers(importer, cut, nodes)}
    taken = {node.index for layer in layers.values() for node in layer.nodes}
    fused = {}
    for node in reversed(nodes):
        for pattern in (gelu, layer_norm):
            fusion = pattern(node, cut)
            members = set() if fusion is None else {member.index for member in fusion.nodes}
            if fusion is not None and cut.is_closed(fusion) and not members & taken:
                fused[fusion.at] = fusion
                taken |= members
    return Parts(nodes, layers, fused)


def assign(
    importer: Importer, names: tuple[str, ...], choose: Choice, *, biases: bool = True, stabilizer: float = 1e-6
) -> Plan:
    """The rule of every node through which relevance comes from ``names`` to an input.

    biases: whether those of linear layers keep their share. Errors: UnsupportedOperator naming the operators that have
    no rule.
    """
    graph, parts = importer.graph, parts_of(importer, names)
    carrying = graph.once(carriers)
    reached = set(carrying.intersection(names))
    layers: list[LinearLayer] = []
    steps: dict[int, Step] = {}
    fused: list[int] = []
    refused: Counter[str] = Counter()
    for node in reversed(parts.nodes):
        if not reached.intersection(node.outputs):
            continue
        if node.index in parts.layers:
            layers.append(parts.layers[node.index])
            reached.add(layers[-1].read)
        elif node.index in parts.fused:
            fused.append(node.index)
            reached.update(carrying.intersection(parts.fused[node.index].inputs))
        else:
            receivers, step = _rule(importer, node, stabilizer)
            if receivers is None:
                refused[counted_as(node)] += 1
                reached.update(carrying.intersection(node.reads))
                continue
            reached.update(receivers)
            if step is not None:
                steps[node.index] = step
    refused.update(unreached(graph, names))
    if refused:
        raise no_rule("lrp", refused, names)
    behind = behind_layers(parts, layers)
    for node in parts.nodes:  # a shift before the first layer is part of how the input is encoded
        own = steps.get(node.index)
        if own is not None and own.absorbs and not behind.intersection(own.receivers):
            steps[node.index] = replace(own, kind="pass", absorbs=False)
    chosen = tuple((layer.end.index, choose(layer, layer.read not in behind)) for layer in reversed(layers))
    return Plan(chosen, tuple(sorted(steps.items())), tuple(sorted(fused)), biases)


def behind_layers(parts: Parts, layers: Sequence[LinearLayer]) -> set[str]:
    """The values that some linear layer on the way stands before."""
    ends = {layer.end.index for layer in layers}
    behind: set[str] = set()
    for node in parts.nodes:
        if node.index in ends or behind.intersection(node.reads):
            behind.update(node.outputs)
    return behind


def first_read(graph: Graph, name: str) -> Node | None:
    """A node before a value that is no affine map of single numbers of the input, None where there is none."""
    for node in graph.needed_for((name,)):
        if graph.once(carriers).intersection(node.outputs) and (node.domain or node.operator not in AFFINE):
            return node
    return None


def _rule(importer: Importer, node: Node, stabilizer: float) -> tuple[tuple[str, ...] | None, Step | None]:
    """(the values that get the node's relevance, its step); (None, None) where there is no rule."""
    graph, operator = importer.graph, node.operator
    computed = computed_reads(graph, node)
    if node.captures or (node.domain and not (node.domain == "com.microsoft" and operator in FOREIGN)):
        return None, None
    first = node.inputs[:1]
    if not first or first[0] not in computed:
        first = ()
    if operator in {"Max", "Min"} and len(computed) == 1:
        return computed, Step("pass", computed)
    if operator in PASS | FOREIGN or operator == "Div":
        return (first, Step("pass", first)) if first else (None, None)
    if operator in THROUGH:
        return computed, None
    if operator in PROPORTIONAL:
        absorbs = len(computed) < len([name for name in node.inputs if name]) and operator in {"Add", "Sub", "Sum"}
        return computed, Step("proportional", computed, stabilizer=stabilizer, absorbs=absorbs)
    if operator in RESIZES and first:
        nearest = importer.scope(node).attributes.get("mode", "nearest") == "nearest"
        return first, None if nearest else Step("proportional", first, stabilizer=stabilizer)
    if operator == "Mul":
        return _product(graph, node, computed)
    if operator == "MatMul":
        parts = sum(name in computed for name in node.inputs)
        return computed, Step("proportional", computed, parts=parts, stabilizer=stabilizer)
    if operator == "Softmax" and first:
        axis, onwards = softmax_axis(importer, node)
        return first, Step("softmax", first, axis=axis, onwards=onwards)
    return None, None


def _product(graph: Graph, node: Node, computed: tuple[str, ...]) -> tuple[tuple[str, ...] | None, Step | None]:
    """A constant factor passes on; of a signal and its gate the signal gets all; else each its half."""
    if len(computed) == 1:
        return (None, None) if node.inputs[0] == node.inputs[1] else (computed, Step("pass", computed))
    ranks = [gate_rank(graph, name) for name in computed]
    if ranks[0] == ranks[1]:
        return computed, Step("equal", computed)
    signal = (computed[ranks.index(min(ranks))],)
    return signal, Step("pass", signal)


def softmax_axis(importer: Importer, node: Node) -> tuple[int, bool]:
    """(its axis, whether all from it on are meant: so before version 13)."""
    scope = importer.scope(node)
    modern = scope.version >= 13
    return int(scope.attributes.get("axis", -1 if modern else 1)), not modern


def no_rule(method: str, refused: Counter[str], names: tuple[str, ...]) -> UnsupportedOperator:
    """The error that names the operators between the input and ``names`` that have no rule."""
    named = ", ".join(f"{count} {operator}" for operator, count in refused.most_common(_NAMED))
    more = f" and {len(refused) - _NAMED} more operators" if len(refused) > _NAMED else ""
    return UnsupportedOperator(
        f"{method} has no rule for {named}{more} between the input and {', '.join(map(repr, names))}; explain a value "
        "before them (--target), start at one behind them (--wrt), or take another method: integrated-gradients works "
        "wherever there are gradients"
    )


def unreached(graph: Graph, names: tuple[str, ...]) -> Counter[str]:
    """What gives those of ``names`` that none of the inputs' own numbers come to, though they depend on an input."""
    carrying = graph.once(carriers)
    if not carrying.intersection(value.name for value in graph.inputs):
        return Counter()  # tokens alone, which is said where a sample is fed
    lost = [name for name in names if name in graph.depends_on_input and name not in carrying]
    return Counter(counted_as(graph.producer_of[name]) for name in lost if name in graph.producer_of)


def counted_as(node: Node) -> str:
    """What a node is called in that."""
    return f"{node.domain}.{node.operator}" if node.domain else node.operator
