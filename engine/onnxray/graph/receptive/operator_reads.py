"""What each operator of rows and columns reads, along both axes: its attributes as windows, cuts and resizings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import attribute, constant
from onnxray.graph.operator_kinds import BROADCASTING, ELEMENTWISE
from onnxray.graph.receptive.axis_reads import Reads, Resizing, Window, blocks, everything, moved, padded, same

Shape = tuple[int, ...]

WINDOWS: Final = frozenset(
    {"AveragePool", "Conv", "ConvInteger", "FusedConv", "LpPool", "MaxPool", "QLinearAveragePool", "QLinearConv"}
)
GLOBAL: Final = frozenset(
    {"GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "QLinearGlobalAveragePool", "InstanceNormalization",
     "GroupNormalization", "MeanVarianceNormalization"}
)  # fmt: skip
POINTWISE: Final = ELEMENTWISE | BROADCASTING | {"BatchNormalization", "LRN", "Split"}
_OVER_AN_AXIS: Final = frozenset(
    {"ArgMax", "ArgMin", "Hardmax", "LayerNormalization", "LogSoftmax", "LpNormalization", "ReduceL1", "ReduceL2",
     "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Softmax"}
)  # fmt: skip
_MOST: Final = 64


@dataclass(frozen=True)
class Question:
    """One node, the graph around it, the shapes of its first moving input and of its output, and which axes of the
    two are rows and columns.
    """

    graph: Graph
    node: Node
    shape: Shape
    given: Shape
    axes: tuple[int, int]

    def of(self, name: str, default: Any) -> Any:
        """An attribute; text as text."""
        value = attribute(self.node, name, default)
        return value.decode("ascii", "replace") if isinstance(value, bytes) else value

    def operand(self, place: int) -> NDArray[Any] | None:
        """A small constant operand."""
        if place >= len(self.node.inputs) or not self.node.inputs[place]:
            return None
        return constant(self.graph, self.node.inputs[place], most=_MOST)

    def lengths(self, axis: int) -> tuple[int, int]:
        """The places of rows (0) or columns (1): of the input and of the output."""
        return self.shape[self.axes[axis]], self.given[self.axes[axis]]


def reads_of(question: Question, weights: Mapping[str, Shape]) -> tuple[Reads, Reads] | None:
    """What rows and columns of the output read of the input's; None where the operator is not known to keep them.

    weights: shapes of the weights. Whatever joins all places reads everything.
    """
    operator = question.node.operator
    if operator in POINTWISE:
        return _each(question, lambda axis: same(question.lengths(axis)[0]))
    if operator in WINDOWS or operator == "ConvTranspose":
        return _windows(question, weights)
    if operator in GLOBAL or (operator in _OVER_AN_AXIS and _joins_places(question)):
        return _each(question, lambda axis: everything(*question.lengths(axis)))
    if operator in _OVER_AN_AXIS:
        return _each(question, lambda axis: same(question.lengths(axis)[0]))
    if operator in {"DepthToSpace", "SpaceToDepth"}:
        return _each(question, lambda axis: blocks(*question.lengths(axis)))
    if operator == "Pad":
        return _pads(question)
    if operator == "Slice":
        return _slices(question)
    if operator in {"Resize", "Upsample"}:
        return _each(question, lambda axis: _resized(question, axis))
    return None


def _each(question: Question, one: Any) -> tuple[Reads, Reads] | None:
    """Both axes, where the output has as many axes as the input."""
    if len(question.given) != len(question.shape):
        return None
    return one(0), one(1)


def _windows(question: Question, weights: Mapping[str, Shape]) -> tuple[Reads, Reads] | None:
    node = question.node
    at = 3 if node.operator == "QLinearConv" else 1
    held = weights.get(node.inputs[at], ()) if len(node.inputs) > at and "Pool" not in node.operator else ()
    kernel = question.of("kernel_shape", None) or held[2:]
    if len(kernel) != 2 or question.axes != (2, 3) or question.of("channels_last", 0):
        return None
    strides, dilations = question.of("strides", (1, 1)), question.of("dilations", (1, 1))
    pads, mode = question.of("pads", (0, 0, 0, 0)), question.of("auto_pad", "NOTSET")
    extra, turned = question.of("output_padding", (0, 0)), node.operator == "ConvTranspose"
    found = []
    for axis in (0, 1):
        length, outputs = question.lengths(axis)
        pad = pads[axis] if mode == "NOTSET" else 0
        window = Window(kernel[axis], strides[axis], dilations[axis], pad)
        if turned and mode == "NOTSET" and question.of("output_shape", None):
            total = strides[axis] * (length - 1) + extra[axis] + dilations[axis] * (kernel[axis] - 1) + 1 - outputs
            window = Window(kernel[axis], strides[axis], dilations[axis], total - total // 2)
        window = window.with_auto_pad(mode, length, outputs, transposed=turned, extra=extra[axis])
        found.append((window.transposed if turned else window.reads)(length, outputs))
    return found[0], found[1]


def _joins_places(question: Question) -> bool:
    """Whether a reduction or a softmax goes over rows or columns; where its axes are computed, it may."""
    node, rank = question.node, len(question.shape)
    stated = question.of("axes", None)
    if node.operator.startswith("Reduce") and stated is None:
        operand = question.operand(1)
        stated = None if operand is None else operand.reshape(-1).tolist()
        if stated is None:
            return True
    if stated is None:
        first = int(question.of("axis", 1 if node.operator == "LpNormalization" else -1))
        first = first % rank
        flat = node.operator in {"LogSoftmax", "Softmax", "Hardmax"} and question.graph.opsets.get("", 13) < 13
        stated = range(first, rank) if flat or node.operator == "LayerNormalization" else [first]
    return any(int(axis) % rank in question.axes for axis in stated)


def _pads(question: Question) -> tuple[Reads, Reads] | None:
    stated = question.of("pads", question.of("paddings", None))
    if stated is None:
        operand = question.operand(1)
        stated = None if operand is None else operand.reshape(-1).tolist()
    rank, named = len(question.shape), question.operand(3)
    if stated is None or (named is None and len(question.node.inputs) > 3 and question.node.inputs[3]):
        return None
    places = list(range(rank)) if named is None else [int(axis) % rank for axis in named.reshape(-1)]
    if len(stated) != 2 * len(places):
        return None
    half = len(places)
    around = {axis: (int(stated[k]), int(stated[half + k])) for k, axis in enumerate(places)}
    mode = str(question.of("mode", "constant"))

    def one(axis: int) -> Reads:
        return padded(question.lengths(axis)[0], *around.get(question.axes[axis], (0, 0)), mode)

    return _each(question, one)


def _slices(question: Question) -> tuple[Reads, Reads] | None:
    held = [question.operand(k) for k in range(1, 5)]
    starts, ends = (
        question.of(name, None) if held[k] is None else held[k] for k, name in enumerate(("starts", "ends"))
    )
    if starts is None or ends is None:
        return None
    rank = len(question.shape)
    axes = question.of("axes", range(len(starts))) if held[2] is None else held[2]
    steps = [1] * len(starts) if held[3] is None else held[3]
    cuts = {int(a) % rank: slice(int(s), int(e), int(t)) for a, s, e, t in zip(axes, starts, ends, steps)}

    def one(axis: int) -> Reads:
        length = question.lengths(axis)[0]
        cut = cuts.get(question.axes[axis], slice(None))
        start, stop, step = cut.indices(length)
        return moved(np.arange(start, stop, step), step)

    return _each(question, one)


def _resized(question: Question, axis: int) -> Reads:
    length, outputs = question.lengths(axis)
    old = question.node.operator == "Upsample" or question.graph.opsets.get("", 13) < 11
    where = "asymmetric" if old else str(question.of("coordinate_transformation_mode", "half_pixel"))
    if where == "tf_crop_and_resize":
        return everything(length, outputs)
    rounding = "floor" if old else str(question.of("nearest_mode", "round_prefer_floor"))
    scales = question.operand(1 if old else 2)
    stated = question.of("scales", None) if scales is None or not scales.size else scales.reshape(-1).tolist()
    named = [int(one) for one in question.of("axes", ())] or list(range(len(question.shape)))
    scale = outputs / length
    if stated is not None and question.axes[axis] in named and len(stated) == len(named):
        scale = float(stated[named.index(question.axes[axis])])
    mode = str(question.of("mode", "nearest"))
    way = Resizing(mode, where, rounding, antialias=bool(question.of("antialias", 0)))
    return way.reads(length, outputs, scale)
