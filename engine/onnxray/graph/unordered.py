"""Values whose order the standard leaves open: what a TopK with sorted=0 gives, and all that is computed from it.

    TopK(x, k, sorted=0) = {the k largest of x}, as a set

ONNX Runtime gives them in an order of its own, which depends on k and on the numbers; the twin gives them sorted. As a
set they are compared, and what is computed from them is not: the first of them is another one in each.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from onnxray.arrays import Array
from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import attribute, constant


def unordered(graph: Graph) -> Mapping[str, Node]:
    """Value -> the first TopK whose order it depends on."""
    return graph.once(_find_unordered)


def why_no_gradient(graph: Graph, name: str) -> str | None:
    """Why no gradient of a value is given: torch's order is not ONNX Runtime's; None without such a TopK."""
    node = unordered(graph).get(name)
    if node is None:
        return None
    return (
        f"value {name!r} depends on the order that node {node.name!r} (TopK, sorted=0) leaves to ONNX Runtime, which "
        f"torch does not share; take the gradient of what it reads, {node.inputs[0]!r}"
    )


def in_one_order(graph: Graph, name: str, array: Array) -> Array:
    """What such a TopK gives, sorted along its axis; every other array as it is."""
    node = unordered(graph).get(name)
    if node is None or name not in node.outputs or not array.ndim:
        return array
    axis = int(attribute(node, "axis", -1))
    return np.sort(array, axis=axis) if -array.ndim <= axis < array.ndim else array


def _find_unordered(graph: Graph) -> Mapping[str, Node]:
    found: dict[str, Node] = {}
    for node in graph.nodes:
        source = next((found[name] for name in node.reads if name in found), None)
        if source is None and _leaves_order_open(graph, node):
            source = node
        if source is not None and node.operator not in {"Shape", "Size"}:
            found.update((name, source) for name in node.outputs if name)
    return MappingProxyType(found)


def _leaves_order_open(graph: Graph, node: Node) -> bool:
    if node.operator != "TopK" or node.domain or attribute(node, "sorted", 1):
        return False
    count = constant(graph, node.inputs[1], most=1) if len(node.inputs) > 1 else None
    return count is None or count.size != 1 or int(count.reshape(())) > 1
