"""Seeded inputs that the judge accepts: sizes for what a model leaves free."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from onnxray.arrays import Array, Arrays
from onnxray.engines.check_memory import Memory as Memory  # where scripts know it from
from onnxray.errors import InputError, RuntimeRefusal
from onnxray.graph.facts import Graph, Value
from onnxray.graph.fixed_batch import fixed_batch_of

if TYPE_CHECKING:
    Kind = Callable[[np.random.Generator, Array], Array]  # numpy imports its random numbers where they are first named

SIZES = (2, 8, 32, 64, 224)
"""What free dimensions are tried at. Windows without padding need some room, halvings a power of two, heads 224."""

_GUESSES = 128
"""How many other inputs are tried where random numbers are refused, and some input may mean something."""

_MOST_NUMBERS = 2**24
"""How large inputs are tried: 64 MiB of float32."""


def accepted_inputs(graph: Graph, run: Callable[[Arrays], Mapping[str, Array]], *, seed: int = 0) -> dict[str, Array]:
    """Random inputs as ``seeded_inputs`` gives them, free dimensions at the first of ``SIZES`` that the judge takes.

    ``run`` is the judge: feeds -> outputs. A size is taken where it runs and no output comes back empty or as NaN
    alone, so that there is something to compare; where every size that runs leaves one so, the first of them. Batches
    stay at 2. Where all are refused, an input may mean something that random numbers are not (axes, lengths,
    thresholds): then ``_GUESSES`` others are tried. A graph that leaves nothing free, and takes no such input, is not
    run.
    Errors: RuntimeRefusal of the judge at the first size, where it refuses all.
    """
    smallest = seeded_shapes(graph, free=SIZES[0])
    free = seeded_shapes(graph, free=SIZES[1]) != smallest
    if not free and not any(_may_mean_something(value) for value in graph.inputs):
        return seeded_inputs(graph, free=SIZES[0], seed=seed)
    refusal: RuntimeRefusal | None = None
    partly: dict[str, Array] = {}
    for feeds in _candidates(graph, seed, free=free):
        try:
            outputs = run(feeds)
        except RuntimeRefusal as error:
            refusal = refusal or error
            continue
        if all(_comparable(array) for array in outputs.values()):
            return feeds
        partly = partly or feeds
    if not partly and refusal is not None:
        raise refusal
    return partly


def _candidates(graph: Graph, seed: int, *, free: bool) -> Iterator[dict[str, Array]]:
    """What may be fed, the likeliest first."""
    for size in SIZES if free else SIZES[:1]:
        shapes = seeded_shapes(graph, free=size)
        if size > SIZES[0] and sum(math.prod(shape) for shape in shapes.values()) > _MOST_NUMBERS:
            break
        yield seeded_inputs(graph, free=size, seed=seed)
    if not any(_may_mean_something(value) for value in graph.inputs):
        return
    generator = np.random.default_rng(seed)
    for _ in range(_GUESSES):
        batch, size = (int(generator.choice(sizes)) for sizes in ((2, 1, 0), (2, 8, 0)))
        feeds = seeded_inputs(graph, batch=batch, free=size, seed=seed)
        for value in graph.inputs:
            kinds = _REAL if value.is_float else _WHOLE
            kind = kinds[int(generator.integers(len(kinds)))]
            feeds[value.name] = kind(generator, feeds[value.name])
        yield feeds


def _may_mean_something(value: Value) -> bool:
    """Whether an input may be axes, lengths, indices, a threshold: whole numbers, or so many numbers in a row."""
    in_a_row = value.shape is not None and len(value.shape) < 2 and not any(isinstance(d, str) for d in value.shape)
    return not value.is_float or in_a_row


def _comparable(array: Array) -> bool:
    """Whether an output holds numbers to compare; a sequence is taken as it is."""
    if not isinstance(array, np.ndarray):
        return True
    return bool(array.size) and not (array.dtype.kind == "f" and bool(np.isnan(array).all()))


def _counted(array: Array, start: int) -> Array:
    return np.arange(start, start + array.size).reshape(array.shape).astype(array.dtype)


def _rest_first(array: Array) -> Array:
    """As many as there are along the first axis, and one along the others: a shape that every array has."""
    return np.where(_counted(array, 0).astype(np.float64) == 0, -1, 1).astype(array.dtype)


_REAL: Final[tuple[Kind, ...]] = (
    lambda _, x: x,
    lambda generator, x: generator.uniform(0.1, 0.9, x.shape).astype(x.dtype),
    lambda generator, x: generator.uniform(1, 2, x.shape).astype(x.dtype),
    lambda _, x: np.ones_like(x),
)
_WHOLE: Final[tuple[Kind, ...]] = (
    lambda _, x: x,
    lambda _, x: np.zeros_like(x),
    lambda _, x: np.ones_like(x),
    lambda _, x: (np.ones_like(x) + np.ones_like(x)).astype(x.dtype),
    lambda _, x: np.full_like(x, 3),
    lambda _, x: _counted(x, 0),
    lambda _, x: _counted(x, 1),
    lambda _, x: _rest_first(x) if x.dtype.kind == "i" else x,
)


_LARGEST_SEEDED = 50_000_000


def seeded_inputs(graph: Graph, *, batch: int = 2, free: int = 2, seed: int = 0) -> dict[str, Array]:
    """Random inputs of a model whose input is no image: normal, or 0 and 1 for whole numbers; see ``seeded_shapes``.

    Errors: InputError where an input holds no numbers, or more than fit into memory.
    """
    generator = np.random.default_rng(seed)
    shapes = seeded_shapes(graph, batch=batch, free=free)
    feeds: dict[str, Array] = {}
    for value in graph.inputs:
        shape = shapes[value.name]
        if math.prod(shape) > _LARGEST_SEEDED:
            raise InputError(
                f"the input {value.name!r} has the shape {list(shape)}, too large for seeded numbers; give inputs"
            )
        try:
            if value.is_float:
                feeds[value.name] = generator.standard_normal(shape).astype(value.dtype)
            else:
                feeds[value.name] = generator.integers(0, 2, shape).astype(value.dtype or np.int64)
        except TypeError:
            raise InputError(
                f"the input {value.name!r} is of {value.dtype}, for which there are no seeded numbers; give inputs"
            ) from None
    return feeds


def seeded_shapes(graph: Graph, *, batch: int = 2, free: int = 2) -> dict[str, tuple[int, ...]]:
    """The inputs' shapes: a free first dimension, and each of the same name, is ``batch``; every other is ``free``.

    Where the graph fixes a batch that its inputs leave free, that is the batch.
    """
    first = fixed_batch_of(graph) or batch
    shapes = {value.name: value.shape if value.shape is not None else (None,) for value in graph.inputs}
    batches = {dims[0] for dims in shapes.values() if dims and isinstance(dims[0], str)}
    return {
        name: tuple(
            dim if isinstance(dim, int) else first if place == 0 or dim in batches else free
            for place, dim in enumerate(dims)
        )
        for name, dims in shapes.items()
    }


def seeded_pixels(shape: tuple[int, int, int], *, seed: int = 0) -> Array:
    """Two images of whole numbers in [0, 255]: noise, and smooth waves, which reach deeper into a network."""
    channels, height, width = shape
    generator = np.random.default_rng(seed)
    noise = generator.uniform(0, 255, shape)
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = np.zeros(shape)
    for channel in range(channels):
        for _ in range(6):
            across, down, phase = generator.uniform(-4, 4, 3)
            waves[channel] += np.sin(2 * np.pi * (across * columns + down * rows) + phase)
    span = np.ptp(waves) or 1.0
    images = np.stack([noise, (waves - waves.min()) / span * 255])
    return np.asarray(np.rint(images), np.float32)
