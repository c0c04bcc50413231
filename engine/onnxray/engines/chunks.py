"""Batches of any size, in chunks, also for files that fix their batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from onnxray.arrays import Array, Arrays
from onnxray.errors import InputError, RuntimeRefusal
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of, has_no_batch
from onnxray.notebooks.displayed import Displayed, one_line

Feed = Callable[[Arrays], list[Array]]
"""Feeds a chunk to an engine."""
Through = Callable[[Feed], Feed]
"""What chunks go through beside: a memory of them, say."""

_CHUNK_ELEMENTS = 2_000_000
_CHUNK_LIMIT = 256
_LARGEST_FILLED = 2**31


Way = Literal["free", "rewrite", "vmap", "loop", "not tried"]


@dataclass(frozen=True, slots=True)
class Batch(Displayed):
    """How samples go through the twin: ``file`` is the batch that the file fixes, None where it is free.

    ``twin``: ``free``, the file's own graph at any batch; ``rewrite``, a graph in which every node was placed for any
    batch; ``vmap``, torch.vmap over the file's own batch; ``loop``, one batch of the file's own after the other;
    ``not tried`` where only a run would tell.
    """

    file: int | None
    twin: Way
    reason: str

    def __repr__(self) -> str:
        own = "free in the file" if self.file is None else f"{self.file} in the file"
        return one_line(self, f"{own}; twin: {self.twin}, {self.reason}")


def sample_count(arrays: Arrays, graph: Graph | None = None) -> int:
    """How many samples arrays hold; one without axes serves all, and of a file without an axis of samples all are one.

    graph: whose inputs they are. Those that have as many rows for any number of samples (a state's layers, before the
    axis of samples) do not count beside those whose rows are free.
    """
    if graph is not None and has_no_batch(graph):
        return 1
    free = (
        set[str]() if graph is None else {v.name for v in graph.inputs if v.shape and not isinstance(v.shape[0], int)}
    )
    counted = [array for name, array in arrays.items() if name in free and array.ndim] or list(arrays.values())
    return max((len(array) if array.ndim else 1 for array in counted), default=1)


def chunk_size(graph: Graph, feeds: Arrays, *, together: bool = False) -> int:
    """How many samples are fed at once: the file's own batch where it fixes one, else by the size of a sample.

    together: several of the file's own batches may be fed at once.
    """
    fixed = fixed_batch_of(graph)
    if fixed is not None and not together:
        return fixed
    elements = sum(array[:1].size if array.ndim else 1 for array in feeds.values())
    size = int(np.clip(_CHUNK_ELEMENTS // max(1, elements), 1, _CHUNK_LIMIT))
    return size if fixed is None else max(size // fixed, 1) * fixed


def takes_one_alone(graph: Graph, feeds: Arrays, names: tuple[str, ...], feed: Feed, found: Arrays | None) -> bool:
    """Whether a file that declares a free batch takes one sample at a time after all, tried on these samples.

    ``found``: what it gave for all of them, None where it refused them. Refused: two copies of the first sample are
    refused as well, and the first alone is not. Given: an output without a row for each sample is what the first gives
    alone, and the last gives other numbers. (What is the same for every sample, such as anchors, is free.)
    """
    total = sample_count(feeds)
    if fixed_batch_of(graph) is not None or total < 2 or {len(a) if a.ndim else 0 for a in feeds.values()} != {total}:
        return False
    if found is None:
        return _given(feeds, [0], feed) is not None and _given(feeds, [0, 0], feed) is None
    ends = {output.name for output in graph.outputs} & graph.depends_on_input
    arrays = [(k, found[n]) for k, n in enumerate(names) if n in ends and isinstance(found[n], np.ndarray)]
    short = [k for k, array in arrays if not array.ndim or len(array) % total]
    first, last = (_given(feeds, [row], feed) if short else None for row in (0, total - 1))
    if first is None or last is None:
        return False
    alike = all(_alike(first[k], found[names[k]]) for k in short)
    return alike and not all(_alike(first[k], last[k]) for k in short)


def _given(feeds: Arrays, rows: list[int], feed: Feed) -> list[Array] | None:
    try:
        return feed({name: array[rows] for name, array in feeds.items()})
    except RuntimeRefusal:
        return None


def _alike(one: Array, other: Array) -> bool:
    if one.shape != other.shape or one.dtype.kind not in "fiub":
        return False
    return bool(np.allclose(one, other, rtol=1e-3, atol=1e-6, equal_nan=True))


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """What is fed at once: ``fed`` samples, of which the first ``count`` are meant.

    whole: the batch itself, as it is; an input without axes then counts for nothing.
    """

    feeds: Arrays
    count: int
    fed: int
    whole: bool


def chunks(graph: Graph, feeds: Arrays, size: int) -> Iterator[Chunk]:
    """A batch in chunks of ``size``.

    Where the file fixes its batch, the last chunk is filled up to a multiple of it with copies of its last sample; an
    input without axes serves all chunks. Inputs without a common batch are fed as they are.
    Errors: InputError for no samples, or a batch that no memory holds.
    """
    fixed = fixed_batch_of(graph)
    shared = {name: array for name, array in feeds.items() if not array.ndim and fixed is not None}
    batched = {name: array for name, array in feeds.items() if name not in shared}
    lengths = {len(array) if array.ndim else 0 for array in batched.values()}
    if len(lengths) != 1 or 0 in {array.ndim for array in batched.values()}:
        yield Chunk({**batched, **shared}, 0, 0, whole=True)
        return
    total = lengths.pop()
    if total == 0:
        raise InputError("no samples were given; at least one is needed")
    if fixed is not None and fixed * max(array[:1].size for array in batched.values()) > _LARGEST_FILLED:
        raise InputError(f"the file fixes its batch at {fixed}, more than there is memory for; is it damaged?")
    for start in range(0, total, size):
        count = min(size, total - start)
        fed = count + -count % (fixed or 1)
        part = {name: _filled(array[start : start + count], fed) for name, array in batched.items()}
        yield Chunk({**part, **shared}, count, fed, whole=total == fed == count)


def in_chunks(
    graph: Graph,
    feeds: Arrays,
    names: tuple[str, ...],
    size: int,
    run: Feed,
) -> dict[str, Array]:
    """Feed a batch in ``chunks`` of ``size`` and join what comes back along the batch axis, of samples that are meant.

    Errors: InputError where a value has no batch axis, so that the chunks of a larger batch cannot be joined.
    """
    pieces: dict[str, list[Array]] = {name: [] for name in names}
    for chunk in chunks(graph, feeds, size):
        for name, value in zip(names, run(chunk.feeds)):
            if chunk.whole or _is_constant(graph, name):
                pieces[name] = [value]
            elif has_batch_axis(graph, name, value, chunk.fed, pieces[name][:1]):
                pieces[name].append(value[: len(value) // chunk.fed * chunk.count])
            else:
                shape = [len(value)] if isinstance(value, list) else list(value.shape)
                raise InputError(f"value {name!r} of shape {shape} has no batch axis; give one batch of {size} at most")
    return {name: parts[0] if len(parts) == 1 else np.concatenate(parts) for name, parts in pieces.items()}


def _filled(array: Array, length: int) -> Array:
    """Samples, and copies of the last up to a length."""
    missing = length - len(array)
    return np.concatenate([array, *[array[-1:]] * missing]) if missing else array


def _is_constant(graph: Graph, name: str) -> bool:
    """Whether a value is the same for every batch."""
    return name in graph.initializers or (name in graph.values and name not in graph.depends_on_input)


def has_batch_axis(graph: Graph, name: str, value: Array, fed: int, before: list[Array]) -> bool:
    """Whether a chunk's value of ``fed`` samples may be joined with those before along the first axis."""
    if (
        isinstance(value, list)
        or not value.ndim
        or len(value) % fed
        or any(piece.shape[1:] != value.shape[1:] for piece in before)
    ):
        return False
    known = graph.values.get(name)
    first = known.shape[0] if known is not None and known.shape else None
    return fixed_batch_of(graph) is not None or not isinstance(first, int) or first == 1 == fed
