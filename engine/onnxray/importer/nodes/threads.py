"""How many threads ONNX Runtime gives a node: a question of those few whose numbers depend on it."""

from __future__ import annotations

from onnxray.graph.facts import Graph

CUT_BY_THREADS = frozenset({"DynamicQuantizeLSTM"})
"""Operators that cut what they round by a scale of its own into as many parts."""


def threads_of(graph: Graph) -> int:  # noqa: ARG001  # ``Graph.settle`` answers it
    """The number; one where nobody has asked ONNX Runtime."""
    return 1
