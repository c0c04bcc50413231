"""Which values hold whole numbers that were quantised, also where no type is stated, as of Microsoft's operators."""

from __future__ import annotations

from onnxray.graph.facts import Graph, Node
from onnxray.graph.operator_kinds import ZERO_POINTS

_TO_OTHERS = frozenset({"Cast", "DequantizeLinear"})


def holds_reals(graph: Graph, name: str) -> bool:
    """Whether a value holds real numbers, as far as the file tells: quantised ones have no gradient."""
    value = graph.values.get(name)
    if value is not None and value.dtype:
        return value.is_float
    return name not in graph.once(_find_quantised)


def quantises(node: Node) -> bool:
    """Whether an operator gives whole numbers of a stated scale. QGemm without one gives real numbers."""
    place = ZERO_POINTS.get((node.domain, node.operator))
    return place is not None and place - 1 < len(node.inputs) and bool(node.inputs[place - 1])


def _find_quantised(graph: Graph) -> frozenset[str]:
    """What quantising operators give, and what the standard's operators make of it; all but Cast keep the type."""
    result: set[str] = set()
    for node in graph.nodes:
        keeps = not node.domain and node.operator not in _TO_OTHERS and any(name in result for name in node.inputs)
        if keeps or quantises(node):
            result.update(name for name in node.outputs if name)
    return frozenset(result)
