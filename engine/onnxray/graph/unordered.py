"""Values whose order the standard leaves open: what a TopK with sorted=0 gives, and all that is computed from it.

    TopK(x, k, sorted=0) = {the k largest of x}, as a set

ONNX Runtime gives them in an order of its own, which depends on k and on the numbers; torch gives them sorted. Where
the twin can ask ONNX Runtime for the places that it picked, it takes them in its order,

    y_j = x[i_j],   i as ONNX Runtime gives it

and so does what is computed from them, gradients included. Elsewhere they are compared as a set, and what is computed
from them is not: the first of them is another one in each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from onnxray.arrays import Array
from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import attribute, constant


def unordered(graph: Graph) -> Mapping[str, Node]:
    """Value -> the first TopK whose order it depends on."""
    return graph.once(_find_unordered)


def open_orders(graph: Graph, names: Iterable[str], given: Iterable[str] = ()) -> tuple[Node, ...]:
    """The nodes on the way to ``names`` that leave their order open, in graph order; none before values ``given``."""
    wanted = tuple(names)
    if not any(name in unordered(graph) for name in wanted):
        return ()
    return tuple(node for node in graph.needed_for(wanted, given) if _leaves_order_open(graph, node))


def places_of(node: Node) -> str:
    """The value that holds the places that such a node picked."""
    return node.outputs[1]


def axis_of(node: Node) -> int:
    """The axis along which it picks."""
    return int(attribute(node, "axis", -1))


def why_no_gradient(graph: Graph, name: str) -> str | None:
    """Why no gradient of a value is given where ONNX Runtime is not asked for its order; None without such a TopK."""
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
    axis = axis_of(node)
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
