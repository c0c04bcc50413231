"""Where in the depth of a network a value stands: evenly spread depths, and the stride of a layer."""

from __future__ import annotations

from collections.abc import Callable

from onnxray.graph.facts import Graph, Node
from onnxray.graph.weight_layers import weight_layers

_WINDOWED = frozenset({"Conv", "QLinearConv", "MaxPool", "AveragePool"})
_SHAPES = frozenset({"int64", "bool"})


def depths(graph: Graph, end: str, count: int) -> tuple[str, ...]:
    """``count`` values at even depths, from the first layer with weights to the last before ``end``, in graph order.

    All that ``end`` knows of the input passes through each of them: of a layer in a branch, the value that the branches
    meet in is taken. Fewer where there are fewer.
    """
    weighted = frozenset(weight_layers(graph))
    waists: dict[int, str] = {}  # by how many layers with weights stand before: the first after each
    passed, behind = 0, set[int]()
    for name in _waists(graph, end):
        pending = [name]
        while pending:  # each node is walked once for all waists: what stands before one counts for the next
            node = graph.producer_of.get(pending.pop())
            if node is not None and node.index not in behind:
                behind.add(node.index)
                passed += sum(output in weighted for output in node.outputs)
                pending.extend(node.reads)
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
    last[end] = len(nodes)
    alive: set[str] = set()
    found = []
    for place, node in enumerate(nodes):
        values = (graph.values.get(name) for name in node.outputs if name in graph.depends_on_input)
        made = [v.name for v in values if v is not None and v.dtype not in _SHAPES]  # quantised ones are paths
        alive.update(name for name in made if last.get(name, -1) > place)
        alive.difference_update(name for name in node.reads if last.get(name) == place)
        if len(alive) == 1:
            found += [name for name in alive if graph.values[name].is_float or not graph.values[name].dtype]
    return tuple(dict.fromkeys(found))


def _only_shapes(graph: Graph, node: Node) -> bool:
    values = [graph.values[name] for name in node.outputs if name in graph.values]
    return all(value.dtype in _SHAPES for value in values)
