"""How a file's samples go through the twin: told without torch where it is free or was decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from onnxray.batching import Batch
from onnxray.check_memory import Memory
from onnxray.graph import Graph

_BRANCHING = frozenset({"If", "Loop"})


def decided(graph: Graph, versions: Mapping[str, Any], decide: Callable[[], Batch] | None = None) -> Batch | None:
    """How this file's samples go: free, as remembered, or by ``decide``, which is then remembered.

    Without ``decide``, None where nothing is remembered.
    """
    if graph.fixed_batch is None:
        sizes = {value.shape[0] for value in graph.inputs if value.shape}
        common = len(sizes) < 2
        reason = (
            "the file's batch is free" if common else "the inputs have no batch in common; they are fed as they are"
        )
        return Batch(None, "free", reason)
    branching = next((node for node in graph.nodes if node.operator in _BRANCHING), None)
    if branching is not None:
        reason = f"node {branching.name!r} ({branching.operator}) may run otherwise for each sample; nothing was tried"
        return Batch(graph.fixed_batch, "loop", reason)
    memory = Memory(graph, {"question": "batch", **versions})
    known = memory.recall({"twin": str, "reason": str})
    if known is not None and known["twin"] in {"rewrite", "vmap", "loop"}:
        return Batch(graph.fixed_batch, known["twin"], known["reason"])
    if decide is None:
        return None
    batch = decide()
    memory.remember({"twin": batch.twin, "reason": batch.reason})
    return batch
