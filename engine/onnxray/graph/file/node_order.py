"""Nodes in an order in which each stands after those that it reads: the standard asks for it, many files are not so.

ONNX Runtime sorts what it reads, so such files run, and ONNX Runtime's own converter to float16 writes them.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Protocol

import onnx

from onnxray.graph.file.bodies import bodies_of, read_by


class _HoldsNodes(Protocol):
    """What holds nodes: a graph, a body, a function."""

    @property
    def node(self) -> Sequence[onnx.NodeProto]:
        """Its nodes."""


def in_order(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its nodes sorted, those of bodies (If, Loop, Scan) and functions too.

    Of two nodes that may both come next the first in the file does: what is in order stays as it is, and is not copied.
    Nodes that wait for each other in a circle stay where they are.
    """
    if all(_places(holder) is None for holder in _holders(model)):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for holder in reversed(_holders(copy)):  # bodies first: a node that is moved is copied with its bodies
        places = _places(holder)
        if places is not None:
            nodes = list(holder.node)
            del holder.node[:]
            holder.node.extend(nodes[place] for place in places)
    return copy


def inner_in_order(model: onnx.ModelProto) -> bool:
    """Whether the nodes of bodies and functions are in order: those of the graph ONNX Runtime sorts itself."""
    return all(_places(holder) is None for holder in _holders(model)[1:])


def _holders(model: onnx.ModelProto) -> list[onnx.GraphProto | onnx.FunctionProto]:
    """Everything in a model that holds nodes."""
    holders: list[onnx.GraphProto | onnx.FunctionProto] = [model.graph, *model.functions]
    for holder in holders:  # grows while it is walked
        holders += [body for node in holder.node for body in bodies_of(node)]
    return holders


def _places(holder: _HoldsNodes) -> list[int] | None:
    """Where each node is to be taken from; None where they are in order, or form a circle."""
    nodes = list(holder.node)
    maker = {name: index for index, node in reversed([*enumerate(nodes)]) for name in node.output if name}
    needed = [{maker[name] for name in read_by(node) if name in maker} for node in nodes]
    if all(max(needs, default=-1) < index for index, needs in enumerate(needed)):
        return None
    waiting = [len(needs) for needs in needed]
    readers: list[list[int]] = [[] for _ in nodes]
    for index, needs in enumerate(needed):
        for need in needs:
            readers[need].append(index)
    ready = [index for index, count in enumerate(waiting) if not count]
    places = []
    while ready:
        index = heapq.heappop(ready)
        places.append(index)
        for reader in readers[index]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    return places if len(places) == len(nodes) else None
