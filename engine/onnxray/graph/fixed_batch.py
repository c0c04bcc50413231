"""The batch that a file fixes: in the shapes of its inputs, in a Reshape alone, or as running it showed."""

from __future__ import annotations

from math import prod

from onnxray.graph.facts import Graph
from onnxray.graph.node_attributes import constant

_MOST_OF_ONE_SAMPLE = 3
_MOST_LENGTHS = 64
"""Numbers of a constant that may state a shape: arrays have no more axes."""


def fixed_batch_of(graph: Graph) -> int | None:
    """The batch that the file fixes, or None where it is free or the inputs have no common one."""
    return graph.once(_find_fixed_batch)


def has_no_batch(graph: Graph) -> bool:
    """Whether the only input is one sample, (3, H, W) or (H, W), without an axis of samples before it.

    Told where every shape is stated: no output has a row, or several, for each length of the input's first axis.
    """
    return graph.once(_find_no_batch)


def _find_no_batch(graph: Graph) -> bool:
    first = graph.inputs[0].shape if len(graph.inputs) == 1 else None
    ends = [output.shape for output in graph.outputs if output.name in graph.depends_on_input]
    if not first or len(first) > _MOST_OF_ONE_SAMPLE or not all(isinstance(dim, int) for dim in first) or not ends:
        return False
    lengths = [shape[0] if shape else 1 for shape in ends if shape is not None]
    known = [length for length in lengths if isinstance(length, int)]
    size = first[0]
    return len(known) == len(ends) and isinstance(size, int) and all(length % size for length in known)


def found_fixed(graph: Graph, batch: int) -> None:
    """Note that the file fixes a batch that its inputs leave free: several samples at once were fed, and it showed."""
    answer: int | None = batch
    graph.settle(_find_fixed_batch, answer)


def _find_fixed_batch(graph: Graph) -> int | None:
    """Give the batch that the file fixes, or None where it is free or the inputs have no common one.

    Fixed by the inputs' first dimension; or, where that is free, by a Reshape to constant lengths: [N, 3, 4] can only
    become [1, 12] where N is 1.
    """
    sizes = set() if has_no_batch(graph) else {value.shape[0] for value in graph.inputs if value.shape}
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
