"""Batches of any size, in chunks, also for files that fix their batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.graph import Graph

Array = NDArray[Any]
Arrays = Mapping[str, Array]

_CHUNK_ELEMENTS = 2_000_000
_CHUNK_LIMIT = 256
_LARGEST_FILLED = 2**31


def chunk_size(graph: Graph, feeds: Arrays) -> int:
    """How many samples are fed at once: the file's own batch where it fixes one, else by the size of a sample."""
    fixed = fixed_batch(graph)
    if fixed is not None:
        return fixed
    elements = sum(array[:1].size if array.ndim else 1 for array in feeds.values())
    return int(np.clip(_CHUNK_ELEMENTS // max(1, elements), 1, _CHUNK_LIMIT))


def fixed_batch(graph: Graph) -> int | None:
    """The batch that the file fixes in its inputs' first dimension, or None where the batch is free."""
    sizes = {value.shape[0] for value in graph.inputs if value.shape}
    fixed = [size for size in sizes if isinstance(size, int)]
    return fixed[0] if len(fixed) == 1 and len(sizes) == 1 else None


def in_chunks(
    graph: Graph,
    feeds: Arrays,
    names: tuple[str, ...],
    size: int,
    run: Callable[[Arrays], list[Array]],
) -> dict[str, Array]:
    """Feed a batch in chunks of ``size`` and join what comes back along the batch axis.

    Where the file fixes its batch, the last chunk is filled up with copies of its last sample, which are cut off again.
    Errors: InputError where a value has no batch axis, so that the chunks of a larger batch cannot be joined.
    """
    counts = {len(array) if array.ndim else 0 for array in feeds.values()}
    if len(counts) > 1 or any(array.ndim == 0 for array in feeds.values()):
        return dict(zip(names, run(feeds)))  # several inputs without one common batch axis: fed as they are
    total = counts.pop()
    if total == 0:
        raise InputError("no samples were given; at least one is needed")
    pieces: dict[str, list[Array]] = {name: [] for name in names}
    filled = fixed_batch(graph) is not None
    if filled and size * max(array[:1].size for array in feeds.values()) > _LARGEST_FILLED:
        raise InputError(f"the file fixes its batch at {size}, more than there is memory for; is it damaged?")
    for start in range(0, total, size):
        part = {name: array[start : start + size] for name, array in feeds.items()}
        count = len(next(iter(part.values())))
        if filled and count < size:
            part = {name: np.concatenate([array, *[array[-1:]] * (size - count)]) for name, array in part.items()}
        fed = len(next(iter(part.values())))
        for name, value in zip(names, run(part)):
            constant = name in graph.initializers or (name in graph.values and name not in graph.depends_on_input)
            if constant or (total == fed and count == fed):
                pieces[name] = [value]
            elif _has_batch_axis(graph, name, value, fed, pieces[name][:1]):
                pieces[name].append(value[: len(value) // fed * count])
            else:
                raise InputError(
                    f"value {name!r} of shape {list(value.shape)} has no batch axis; give one batch of {size} at most"
                )
    return {name: parts[0] if len(parts) == 1 else np.concatenate(parts) for name, parts in pieces.items()}


def _has_batch_axis(graph: Graph, name: str, value: Array, fed: int, before: list[Array]) -> bool:
    """Whether a chunk's value of ``fed`` samples may be joined with those before along the first axis."""
    if not value.ndim or len(value) % fed or any(piece.shape[1:] != value.shape[1:] for piece in before):
        return False
    known = graph.values.get(name)
    first = known.shape[0] if known is not None and known.shape else None
    return fixed_batch(graph) is not None or not isinstance(first, int) or first == 1 == fed
