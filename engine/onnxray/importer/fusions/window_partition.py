"""Slices, or single slices, that together are the whole of a value along an axis: one split.

Each alone would make a gradient of the whole value's size, zeros for the most part, and the gradients would be added.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from onnxray.graph.facts import Node
from onnxray.importer.fusions.pattern import Cut, Fusion, is_plain
from onnxray.importer.nodes.shape_parameters import numbers


class Partition(nn.Module):
    """The parts of x along an axis, in their order; ``dropped``: each is one slice and loses the axis."""

    def __init__(self, axis: int, sizes: tuple[int, ...], *, dropped: bool) -> None:
        super().__init__()
        self.axis, self.sizes, self.dropped = axis, sizes, dropped

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Split; the parts are views."""
        if x.shape[self.axis] != sum(self.sizes):
            raise ValueError(f"axis {self.axis} has {x.shape[self.axis]} places; the file declares {sum(self.sizes)}")
        return x.unbind(self.axis) if self.dropped else torch.split_with_sizes(x, self.sizes, self.axis)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one node takes: places ``start`` to ``end`` of ``axis``."""

    node: Node
    axis: int
    start: int
    end: int


def partition(node: Node, cut: Cut) -> Fusion | None:
    """All Slice nodes of a value, or all Gather nodes with one fixed index each; ``node`` is the first of them."""
    if not is_plain(node, "Slice", "Gather"):
        return None
    value, x = cut.graph.values.get(node.inputs[0]), node.inputs[0]
    siblings = [other for other in cut.readers[x] if is_plain(other, node.operator) and other.inputs[0] == x]
    if value is None or value.shape is None or len(siblings) < 2 or siblings[0] is not node:
        return None
    parts = [_slice(n, cut) if n.operator == "Slice" else _single(n, cut) for n in siblings]
    known = sorted((part for part in parts if part is not None), key=lambda part: part.start)
    if len(known) < len(parts) or len({part.axis for part in known}) > 1:
        return None
    axis = known[0].axis
    ends = [0, *(part.end for part in known)]
    if [part.start for part in known] != ends[:-1] or ends[-1] != value.shape[axis]:
        return None
    sizes = tuple(part.end - part.start for part in known)
    outputs = tuple(part.node.outputs[0] for part in known)
    make = lambda: Partition(axis, sizes, dropped=node.operator == "Gather")  # noqa: E731
    return Fusion(tuple(siblings), node.index, (x,), outputs, make)


def _slice(node: Node, cut: Cut) -> _Part | None:
    scope = cut.scope_of(node)
    get = scope.attributes.get
    if scope.version < 10:
        stated = [get("starts"), get("ends"), get("axes", (0,)), (1,)]
    else:
        defaults = {3: (0,), 4: (1,)}
        stated = [numbers(scope, k) if scope.input(k) else defaults.get(k) for k in range(1, 5)]
    single = [int(found[0]) for found in stated if found is not None and len(found) == 1]
    placed = _placed(node, single[2], cut) if len(single) == 4 and single[3] == 1 else None
    if placed is None:
        return None
    axis, size = placed
    start, end = (min(max(at + size if at < 0 else at, 0), size) for at in single[:2])
    return _Part(node, axis, start, end) if end > start else None


def _single(node: Node, cut: Cut) -> _Part | None:
    scope = cut.scope_of(node)
    index, placed = cut.constant(node.inputs[1]), _placed(node, int(scope.attributes.get("axis", 0)), cut)
    if index is None or index.ndim or placed is None:
        return None
    axis, size = placed
    at = int(index) + (size if int(index) < 0 else 0)
    return _Part(node, axis, at, at + 1)


def _placed(node: Node, axis: int, cut: Cut) -> tuple[int, int] | None:
    """The axis counted from the start, and its size, where both are known."""
    shape = cut.graph.values[node.inputs[0]].shape
    if shape is None or not -len(shape) <= axis < len(shape):
        return None
    size = shape[axis]
    return (axis % len(shape), size) if isinstance(size, int) else None
