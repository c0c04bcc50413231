"""Which part of a value a change in a window of the input can reach: the geometry of convolutions and pooling.

For a value that is computed from the input by local operators alone, output o of an axis reads the input's

    [o * stride + low, o * stride + high],        clipped to the input

Zero padding makes ``low`` negative. Found by one walk over the graph; nothing is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.graph.facts import Graph, Node
from onnxray.graph.file.attribute_values import value_of
from onnxray.graph.operator_kinds import BROADCASTING, ELEMENTWISE

_POINTWISE = ELEMENTWISE | BROADCASTING | {"BatchNormalization", "LRN"}
_SHAPES = frozenset({"Shape", "Size"})
# What a number that is written and read again costs, in multiplications.
_TOUCH = 8.0


@dataclass(frozen=True, slots=True)
class Reach:
    """One axis of a value: its output o reads [o * stride + low, o * stride + high] of the start."""

    stride: int = 1
    low: int = 0
    high: int = 0

    def after(self, stride: int, low: int, high: int) -> Reach:
        """The reach of an operator that reads this value in steps of ``stride``, offsets ``low`` to ``high``."""
        return Reach(self.stride * stride, self.low + self.stride * low, self.high + self.stride * high)

    def beyond(self, other: Reach) -> Reach:
        """This value's reach into ``other``, through which everything passes."""
        step = other.stride
        return Reach(self.stride // step, (self.low - other.low) // step, (self.high - other.high) // step)

    def touched(self, start: int, stop: int, length: int) -> tuple[int, int]:
        """The outputs, of ``length``, that [start, stop) of the input reaches."""
        first = -((self.high - start) // self.stride)
        last = (stop - 1 - self.low) // self.stride
        return max(0, first), min(length, last + 1)

    def read(self, start: int, stop: int, length: int) -> tuple[int, int]:
        """The inputs, of ``length``, that the outputs [start, stop) read."""
        return max(0, start * self.stride + self.low), min(length, (stop - 1) * self.stride + self.high + 1)


@dataclass(frozen=True, slots=True)
class Point:
    """A value through which all that is read passes, and which is local: rows and columns reach into the start.

    work: multiplications, a number of the start's plane, of all nodes up to it.
    """

    name: str
    rows: Reach
    columns: Reach
    work: float


@dataclass(frozen=True, slots=True)
class Field:
    """What is local between a start and what is read: the points, in graph order, the start first.

    work: multiplications, a number of the start's plane, of all local nodes.
    """

    points: tuple[Point, ...]
    work: float


def local_field(
    graph: Graph, start: str, names: Iterable[str], shapes: Mapping[str, tuple[int, ...]],
    constants: Mapping[str, NDArray[Any]],
) -> Field:  # fmt: skip
    """What is local between the 4-d value ``start`` (channels on axis 1) and ``names``.

    shapes: of all values that are known. constants: what Pad reads (see ``pad_constants``).
    """
    names = tuple(names)
    moving = _moving(graph, start)
    nodes = [n for n in graph.needed_for(names) if n.operator not in _SHAPES and moving.intersection(n.reads)]
    last = {name: node.index for node in nodes for name in node.reads} | dict.fromkeys(names, len(graph.nodes))
    reaches = {start: (Reach(), Reach())}
    points, work = [Point(start, Reach(), Reach(), 0.0)], 0.0
    alive = {start}
    for node in nodes:
        found = _reach(graph, node, reaches, moving, shapes, constants)
        outputs = [name for name in node.outputs if name]
        if found is not None and outputs:
            reaches[outputs[0]] = found
            work += _work(graph, node, shapes) / (found[0].stride * found[1].stride)
        alive.update(name for name in outputs if last.get(name, -1) > node.index and name in moving)
        alive.difference_update(name for name in node.reads if last.get(name) == node.index)
        if found is not None and alive == {outputs[0]} and len(shapes.get(outputs[0], ())) == 4:
            points.append(Point(outputs[0], *found, work))
    return Field(tuple(points), work)


def pad_constants(graph: Graph, names: Iterable[str]) -> tuple[str, ...]:
    """The computed constants that say how much Pad nodes on the way to ``names`` pad."""
    read = [node.inputs[1] for node in graph.needed_for(names) if node.operator == "Pad" and len(node.inputs) > 1]
    return tuple(dict.fromkeys(name for name in read if name not in graph.depends_on_input))


def _moving(graph: Graph, start: str) -> set[str]:
    """The values whose numbers, not only whose shape, depend on the start."""
    moving = {start}
    for node in graph.nodes:
        if node.operator not in _SHAPES and moving.intersection(node.reads):
            moving.update(name for name in node.outputs if name)
    return moving


def _reach(
    graph: Graph, node: Node, reaches: Mapping[str, tuple[Reach, Reach]], moving: set[str],
    shapes: Mapping[str, tuple[int, ...]], constants: Mapping[str, NDArray[Any]],
) -> tuple[Reach, Reach] | None:  # fmt: skip
    """The reach of a node's first output into the start; None where the node is not known to be local."""
    read = [name for name in node.reads if name in moving]
    if node.domain or node.captures or any(name not in reaches for name in read):
        return None
    if sum(bool(name) and name in graph.readers_of for name in node.outputs) > 1:
        return None
    attributes = {a.name: value_of(a) for a in node.proto.attribute}
    before = reaches[read[0]]
    if node.operator in {"Conv", "MaxPool", "AveragePool"}:
        return _window(graph, node, attributes, before, shapes) if read == [node.inputs[0]] else None
    if node.operator == "Pad" and read == [node.inputs[0]]:
        return _padded(node, attributes, before, constants)
    if node.operator == "Concat":
        if attributes.get("axis") != 1 or any(name not in moving for name in node.inputs):
            return None
    elif node.operator not in _POINTWISE or attributes.get("training_mode"):
        return None
    elif node.operator != "BatchNormalization":
        for name in filter(None, node.inputs):
            if name not in moving and not _even(graph, name, shapes, constants):
                return None
    if len({shapes.get(name, (name,))[-2:] for name in read}) > 1:  # one is broadcast, or unknown
        return None
    return _joined([reaches[name] for name in read])


def _even(
    graph: Graph, name: str, shapes: Mapping[str, tuple[int, ...]], constants: Mapping[str, NDArray[Any]]
) -> bool:
    """Whether a constant operand is the same at every row and column."""
    if name in graph.initializers:
        shape: tuple[int, ...] | None = tuple(graph.initializers[name].dims)
    else:
        shape = shapes.get(name) if name not in constants else constants[name].shape
    return shape is not None and all(size == 1 for size in shape[-2:])


def _joined(found: list[tuple[Reach, Reach]]) -> tuple[Reach, Reach] | None:
    axes = []
    for axis in (0, 1):
        parts = [pair[axis] for pair in found]
        if len({part.stride for part in parts}) > 1:
            return None
        axes.append(Reach(parts[0].stride, min(p.low for p in parts), max(p.high for p in parts)))
    return axes[0], axes[1]


def _window(
    graph: Graph, node: Node, attributes: Mapping[str, Any], before: tuple[Reach, Reach],
    shapes: Mapping[str, tuple[int, ...]],
) -> tuple[Reach, Reach] | None:  # fmt: skip
    if attributes.get("auto_pad", b"NOTSET") not in {b"NOTSET", b"VALID"} or attributes.get("storage_order"):
        return None
    kernel = attributes.get("kernel_shape") or _weight_shape(graph, node, shapes)[2:]
    if len(kernel) != 2:
        return None
    strides = attributes.get("strides") or (1, 1)
    dilations = attributes.get("dilations") or (1, 1)
    pads = attributes.get("pads") or (0, 0, 0, 0)
    found = [
        before[k].after(strides[k], -pads[k], dilations[k] * (kernel[k] - 1) - pads[k]) for k in (0, 1)
    ]  # fmt: skip
    return found[0], found[1]


def _padded(
    node: Node, attributes: Mapping[str, Any], before: tuple[Reach, Reach], constants: Mapping[str, NDArray[Any]]
) -> tuple[Reach, Reach] | None:
    if attributes.get("mode", b"constant") != b"constant" or len(node.inputs) > 3:
        return None
    pads = attributes.get("pads")
    if pads is None and len(node.inputs) > 1 and node.inputs[1] in constants:
        pads = constants[node.inputs[1]].reshape(-1).tolist()
    if pads is None or len(pads) != 8 or any(pads[k] for k in (0, 1, 4, 5)) or min(pads) < 0:
        return None
    rows, columns = (before[k].after(1, -int(pads[2 + k]), -int(pads[2 + k])) for k in (0, 1))
    return rows, columns


def _work(graph: Graph, node: Node, shapes: Mapping[str, tuple[int, ...]]) -> float:
    """Multiplications for one row and column of the node's output."""
    touched = _TOUCH * shapes.get(node.outputs[0], (1, 1))[1]
    return touched + (float(np.prod(_weight_shape(graph, node, shapes))) if node.operator == "Conv" else 0.0)


def _weight_shape(graph: Graph, node: Node, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    if node.operator != "Conv":
        return ()
    weight = graph.initializers.get(node.inputs[1])
    return tuple(weight.dims) if weight is not None else shapes.get(node.inputs[1], ())
