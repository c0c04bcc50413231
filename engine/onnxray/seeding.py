"""Seeded inputs that the judge accepts: sizes for what a model leaves free."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from onnxray.batching import Array, Arrays
from onnxray.errors import RuntimeRefusal
from onnxray.graph import Graph
from onnxray.verification import seeded_inputs, seeded_shapes

SIZES = (2, 8, 32, 64, 224)
"""What free dimensions are tried at. Windows without padding need some room, halvings a power of two, heads 224."""

_MOST_NUMBERS = 2**24
"""How large inputs are tried: 64 MiB of float32."""


def accepted_inputs(graph: Graph, run: Callable[[Arrays], Mapping[str, Array]], *, seed: int = 0) -> dict[str, Array]:
    """Random inputs as ``seeded_inputs`` gives them, free dimensions at the first of ``SIZES`` that the judge takes.

    ``run`` is the judge: feeds -> outputs. A size is taken where it runs and no output comes back empty, so that there
    is something to compare; where every size that runs leaves one empty, the first of them. Batches stay at 2. A graph
    that leaves nothing else free is not run.
    Errors: RuntimeRefusal of the judge at the first size, where it refuses all.
    """
    smallest = seeded_shapes(graph, free=SIZES[0])
    if seeded_shapes(graph, free=SIZES[1]) == smallest:
        return seeded_inputs(graph, free=SIZES[0], seed=seed)
    refusal: RuntimeRefusal | None = None
    partly: dict[str, Array] = {}
    for size in SIZES:
        shapes = seeded_shapes(graph, free=size)
        if size > SIZES[0] and sum(math.prod(shape) for shape in shapes.values()) > _MOST_NUMBERS:
            break
        feeds = seeded_inputs(graph, free=size, seed=seed)
        try:
            outputs = run(feeds)
        except RuntimeRefusal as error:
            refusal = refusal or error
            continue
        if all(array.size for array in outputs.values()):
            return feeds
        partly = partly or feeds
    if not partly and refusal is not None:
        raise refusal
    return partly
