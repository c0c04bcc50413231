"""Where in the depth of a network a value stands: evenly spread depths, and the stride of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from onnxray.graph.facts import Graph, Node
from onnxray.graph.operator_kinds import INTEGER_CONVOLUTIONS
from onnxray.graph.weight_layers import weight_layers
from onnxray.graph.whole_numbers import holds_reals

_WINDOWED = INTEGER_CONVOLUTIONS | {"Conv", "FusedConv", "MaxPool", "AveragePool"}
_SHAPES = frozenset({"int64", "bool"})


def depths(graph: Graph, end: str, count: int) -> tuple[str, ...]:
    """``count`` values at even depths, from the first layer with weights to the last before ``end``, in graph order.

    All that ``end`` knows of the input passes through each of them: of a layer in a branch, the value that the branches
    meet in is taken. Fewer where there are fewer.
    """
    ours = {node.outputs[0]: name for name, node in graph.dequantised.items()}
    weighted = frozenset(ours.get(name, name) for name in weight_layers(graph))
    waists: dict[int, str] = {}  # by how many layers with weights stand before: the first after each
    passed, behind = 0, set[int]()
    for name in _real_waists(graph, end):
        pending = [name]
        while pending:  # each node is walked once for all waists: what stands before one counts for the next
            node = graph.producer_of.get(pending.pop())
            if node is not None and node.index not in behind:
                behind.add(node.index)
                passed += sum(output in weighted for output in node.outputs)
                pending.extend(node.reads)
        known = waists.get(passed)
        if passed and (known is None or (known in ours and name not in ours)):
            waists[passed] = name  # one of the file's own sooner than what stands beside it
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


def waists(
    nodes: Sequence[Node], last_reads: Mapping[str, int], inputs: Iterable[str] = ()
) -> Iterator[tuple[Node, str]]:
    """(node, value): after this node everything that counts passes through this one value.

    nodes: in graph order. last_reads: of each value that counts, the index of the last node whose reading of it counts.
    inputs: values that are there before the first node. A value is given after each node behind which it is alone.
    """
    alive = set(inputs)
    for node in nodes:
        alive.difference_update(name for name in node.reads if last_reads.get(name) == node.index)
        alive.update(name for name in node.outputs if last_reads.get(name, -1) > node.index)
        if len(alive) == 1:
            (name,) = alive
            yield node, name


def _real_waists(graph: Graph, end: str) -> tuple[str, ...]:
    """The real values that every path from the input to ``end`` goes through, in graph order; shapes are no paths."""
    nodes = graph.needed_for([end])
    reads = ((name, node.index) for node in nodes if not _only_shapes(graph, node) for name in node.reads)
    last_reads = {name: index for name, index in (*reads, (end, graph.end)) if _is_path(graph, name)}
    ours = {name: node.outputs[0] for name, node in graph.dequantised.items()}
    names = (ours.get(name, name) for _, name in waists(nodes, last_reads))
    names = (name for name in names if holds_reals(graph, name))
    return tuple(dict.fromkeys(names))


def _is_path(graph: Graph, name: str) -> bool:
    """Whether a value hands on what the network has read; quantised ones do, shapes and masks do not."""
    value = graph.values.get(name)
    return value is not None and name in graph.depends_on_input and value.dtype not in _SHAPES


def _only_shapes(graph: Graph, node: Node) -> bool:
    values = [graph.values[name] for name in node.outputs if name in graph.values]
    return all(value.dtype in _SHAPES for value in values)
