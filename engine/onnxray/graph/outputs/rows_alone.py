"""Values whose first axis is not the samples': rows that were chosen by their numbers, as many as there are."""

from __future__ import annotations

from typing import Final

from onnxray.graph.facts import Dim, Graph
from onnxray.graph.outputs.facts import dims_of
from onnxray.graph.outputs.origins import behind

SUPPRESSION: Final = ("NonMaxSuppression", "EfficientNMS", "BatchedNMS", "multiclass_nms")
CHOOSING: Final = (*SUPPRESSION, "NonZero", "Compress", "Unique")
"""Operators (by how their names begin) that give as many rows as their numbers ask for."""
_MOST_AXES = 2


def chooses_rows(graph: Graph) -> bool:
    """Whether a graph chooses rows by their numbers anywhere, so that samples are better fed one by one."""
    return any(node.operator.startswith(CHOOSING) for node in graph.nodes)


def rows_alone(graph: Graph, name: str) -> bool:
    """Whether the first axis of a value are rows that were chosen of all there is, not the samples."""
    if name not in graph.values or behind(graph, name, lambda node: node.operator.startswith(CHOOSING)) is None:
        return False
    shape = dims_of(graph, name)
    return shape is None or first_axis_alone(graph, shape)


def first_axis_alone(graph: Graph, shape: tuple[Dim, ...]) -> bool:
    """Whether the first axis of what was chosen is none of the samples: of few axes, and no input's first length."""
    if not shape or len(shape) > _MOST_AXES:
        return False
    batch = {value.shape[0] for value in graph.inputs if value.shape}
    return shape[0] is None or shape[0] not in batch
