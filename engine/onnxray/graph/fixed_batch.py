"""The batch that a file fixes: in the shapes of its inputs, in a Reshape alone, or as running it showed."""

from __future__ import annotations

from math import prod

from onnxray.graph.facts import Graph
from onnxray.graph.node_attributes import constant

_MOST_LENGTHS = 64
"""Numbers of a constant that may state a shape: arrays have no more axes."""


def fixed_batch_of(graph: Graph) -> int | None:
    """The batch that the file fixes, or None where it is free or the inputs have no common one."""
    return graph.once(_find_fixed_batch)


def found_fixed(graph: Graph, batch: int) -> None:
    """Note that the file fixes a batch that its inputs leave free: several samples at once were fed, and it showed."""
    answer: int | None = batch
    graph.settle(_find_fixed_batch, answer)


def _find_fixed_batch(graph: Graph) -> int | None:
    """Give the batch that the file fixes, or None where it is free or the inputs have no common one.

    Fixed by the inputs' first dimension; or, where that is free, by a Reshape to constant lengths: [N, 3, 4] can only
    become [1, 12] where N is 1.
    """
    sizes = {value.shape[0] for value in graph.inputs if value.shape}
    sequences = any(value.shape is None and value.dtype in {"", "map"} for value in graph.inputs)
    if len(sizes) != 1 or sequences:
        return None
    size = sizes.pop()
    return size if isinstance(size, int) else _batch_of_reshapes(graph, size)


def _batch_of_reshapes(graph: Graph, free: str | None) -> int | None:
    """The least number of samples for which every Reshape to constant lengths fits its input."""
    if free is None:
        return None
    for node in graph.nodes:
        value = graph.values.get(node.inputs[0]) if node.operator == "Reshape" and len(node.inputs) == 2 else None
        if value is None or value.shape is None or len(value.shape) > _MOST_LENGTHS or value.shape.count(free) != 1:
            continue
        lengths = constant(graph, node.inputs[1], most=_MOST_LENGTHS)
        wanted = [] if lengths is None else [int(length) for length in lengths.reshape(-1)]
        rest = [dim for dim in value.shape if dim != free]
        known = [dim for dim in rest if isinstance(dim, int)]
        if min(wanted, default=0) > 0 and len(known) == len(rest) and prod(wanted) % max(1, prod(known)) == 0:
            return prod(wanted) // max(1, prod(known)) or None
    return None
