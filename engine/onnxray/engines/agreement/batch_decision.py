"""How a file's samples go through the engines: told without torch where that is free or was decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from onnxray.arrays import Array, Arrays
from onnxray.engines.agreement.comparison import differences
from onnxray.engines.check_memory import Memory
from onnxray.engines.chunks import Batch
from onnxray.errors import OnnxrayError
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.samples.mixing import places
from onnxray.graph.samples.places import Lost

_BRANCHING = frozenset({"If", "Loop"})
_STATING_LENGTHS = frozenset({"Resize", "Expand", "Tile", "Upsample"})
_TO_TRY = "inspect --batch tries it"
_TOLERANCE = 1e-4
_SHORT_TOLERANCE = 2e-2
"""How far a sample's numbers may move with its company, relative to the largest: sums are rounded otherwise in another
size of batch; float16 and what is quantised are coarser."""


def decided(
    graph: Graph, versions: Mapping[str, Any], decide: Callable[[], Batch] | None = None,
    run: Callable[[], object] | None = None,
) -> Batch | None:  # fmt: skip
    """How this file's samples go: free, as remembered, or by ``decide``, which is then remembered.

    run: feeds the judge two samples. A batch that the inputs leave free is tried so where a node may fix it at 1.
    Without ``decide``, None where nothing is remembered.
    """
    if fixed_batch_of(graph) is None and run is not None and _may_fix_one(graph):
        with suppress(OnnxrayError):  # whatever refuses seeded samples tells nothing of the batch
            run()
    if fixed_batch_of(graph) is None:
        sizes = {value.shape[0] for value in graph.inputs if value.shape}
        common = len(sizes) < 2
        reason = (
            "the file's batch is free" if common else "the inputs have no batch in common; they are fed as they are"
        )
        return Batch(None, "free", reason)
    branching = next((node for node in graph.nodes if node.operator in _BRANCHING), None)
    if branching is not None:
        reason = f"node {branching.name!r} ({branching.operator}) may run otherwise for each sample; nothing was tried"
        return Batch(fixed_batch_of(graph), "loop", reason)
    memory = Memory(graph, {"question": "batch", **versions})
    known = memory.recall({"twin": str, "reason": str})
    if known is not None and known["twin"] in {"rewrite", "vmap", "loop"}:
        return Batch(fixed_batch_of(graph), known["twin"], known["reason"])
    if decide is None:
        return None
    batch = decide()
    memory.remember({"twin": batch.twin, "reason": batch.reason})
    return batch


def known_so_far(graph: Graph, versions: Mapping[str, Any]) -> Batch:
    """How this file's samples go as far as that is known without running it; ``not tried`` where it is not."""
    batch = decided(graph, versions)
    if batch is None:
        return Batch(fixed_batch_of(graph), "not tried", _TO_TRY)
    if batch.file is None and _may_fix_one(graph):
        return Batch(None, "not tried", f"{batch.reason}, and a node may fix it at 1; {_TO_TRY}")
    return batch


def _may_fix_one(graph: Graph) -> bool:
    """Whether a node states lengths, or leaves it open where the samples lie: a class token, a Squeeze, a Gather."""
    where = graph.once(places)
    lost = any(isinstance(where.get(output.name), Lost) for output in graph.outputs)
    return lost or any(node.operator in _STATING_LENGTHS for node in graph.nodes)


def mixes(
    graph: Graph,
    versions: Mapping[str, Any],
    names: tuple[str, ...],
    feeds: Arrays,
    run: Callable[[Arrays, tuple[str, ...]], Mapping[str, Array]],
) -> str | None:
    """Why the samples of these values depend on each other; None where they do not. Tried once, then remembered.

    ``feeds``: a batch of different samples; the first is compared with itself alone, or, where the file fixes its
    batch, with itself in other company.
    """
    memory = Memory(graph, {"question": "mixing", "values": list(names), **versions})
    known = memory.recall({"mixes": str})
    if known is not None:
        return known["mixes"] or None
    try:
        why = _compared(graph, names, feeds, run)
    except OnnxrayError as error:
        return f"whether the samples of a batch depend on each other could not be tried ({error})"
    memory.remember({"mixes": why})
    return why or None


def _compared(
    graph: Graph, names: tuple[str, ...], feeds: Arrays,
    run: Callable[[Arrays, tuple[str, ...]], Mapping[str, Array]],
) -> str:  # fmt: skip
    count = max(len(array) if array.ndim else 1 for array in feeds.values())
    fixed = fixed_batch_of(graph) is not None
    whole = run(feeds, names)
    for place in (0, count - 1):
        rows = [place] * count if fixed else [place]
        other = run({name: array[rows] if array.ndim else array for name, array in feeds.items()}, names)
        for name in names:
            first, second = whole[name], other[name]
            each = len(first) // count if first.ndim else 0
            if not each or len(first) != each * count or len(second) != each * len(rows):
                return f"value {name!r} has no axis along which the samples of a batch lie"
            found, wanted = first[place * each : (place + 1) * each], second[:each]
            if found.shape != wanted.shape:
                return f"the shape of value {name!r} depends on which samples are fed together"
            if found.dtype.kind not in "fiub":
                continue
            short = found.dtype == np.float16 or found.dtype.kind != "f"
            off, finite = differences(wanted, found), np.abs(wanted[np.isfinite(wanted)].astype(np.float64))
            allowed = (_SHORT_TOLERANCE if short else _TOLERANCE) * max(finite.max(initial=0), 1e-6)
            if not (off <= allowed).all():
                return f"value {name!r} of a sample depends on the others in its batch (by {off.max():.2g})"
    return ""
