"""The receptive field of every unit of every value: which rows and columns of the picture it is computed from.

Found by one walk over the graph, nothing is run. Of a value that is computed by local operators alone, unit o of an
axis sees

    [o * step + low, o * step + high]            of a picture that goes on at both ends

so that its size is ``high - low + 1``, and its centre ``o * step + (low + high) / 2`` (Araujo, Norris, Sim 2019). What
it sees of the picture as it is stands beside that, unit by unit, without padding. A value whose units are computed from
all places (behind a linear layer, a global pooling, an attention) is unbounded, and says by which node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import DAMAGED, attribute
from onnxray.graph.receptive.axis_reads import NOTHING, Reads
from onnxray.graph.receptive.operator_reads import POINTWISE, Question, reads_of

Shape = tuple[int, ...]
Places = NDArray[np.int64]

_SHAPES: Final = frozenset({"Shape", "Size"})
_FAR: Final = 2**62


@dataclass(frozen=True, eq=False)
class Axis:
    """Rows or columns. first, last: what each unit sees of the picture, first > last where it sees padding alone.

    step, low, high: see the top of the file; step None where the axis is unbounded, or fields lie in several steps.
    """

    first: Places
    last: Places
    step: Fraction | None
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)

    @property
    def size(self) -> int | None:
        """How many places a unit sees, of a picture that goes on at both ends; behind a resizing at most."""
        return None if self.step is None else int(self.high - self.low) + 1

    @property
    def offset(self) -> float | None:
        """Where the centre of the first unit's field lies, the first place's centre being 0."""
        return None if self.step is None else float((self.low + self.high) / 2)

    def behind(self, reads: Reads) -> Axis:
        """The axis of an operator that reads this one."""
        there = reads.table != NOTHING
        first = np.where(there, self.first[reads.table], _FAR)
        last = np.where(there, self.last[reads.table], -1)
        sees = there & (self.first[reads.table] <= self.last[reads.table])
        low = np.where(sees, first, _FAR).min(1, initial=_FAR)
        high = np.where(sees, last, -1).max(1, initial=-1)
        if self.step is None or reads.step is None:
            return Axis(low, high, None)
        return Axis(
            low, high, self.step * reads.step, self.low + self.step * reads.low, self.high + self.step * reads.high
        )

    def joined(self, other: Axis) -> Axis:
        """What is computed from two values of the same places."""
        first, last = np.minimum(self.first, other.first), np.maximum(self.last, other.last)
        if self.step is None or self.step != other.step:
            return Axis(first, last, None)
        return Axis(first, last, self.step, min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True, eq=False)
class UnitFields:
    """What the units of a value see. axes: which of its axes are rows and columns; None where it keeps none.

    unbounded: why its units may see all of the picture, in words; None where they do not.
    """

    rows: Axis
    columns: Axis
    axes: tuple[int, int] | None
    unbounded: str | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Rows and columns that a unit sees; None where that is unbounded."""
        rows, columns = self.rows.size, self.columns.size
        return None if self.unbounded or rows is None or columns is None else (rows, columns)

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """What the unit of a row and a column sees of the picture: top, left, bottom, right, the last two excluded.

        Four times 0 where it sees padding alone.
        """
        (top, bottom), (left, right) = (
            (int(axis.first[k]), int(axis.last[k]) + 1) for axis, k in ((self.rows, row), (self.columns, column))
        )
        if top >= bottom or left >= right:
            return 0, 0, 0, 0
        return top, left, bottom, right

    def to_dict(self) -> dict[str, object]:
        """For JSON: size, step and offset, rows before columns; null where unbounded, with the reason."""
        if self.size is None:
            why = self.unbounded or "its units' fields lie in steps of several sizes"
            return {"size": None, "step": None, "offset": None, "reason": why}
        assert self.rows.step is not None
        assert self.columns.step is not None
        return {
            "size": list(self.size), "step": [float(self.rows.step), float(self.columns.step)],
            "offset": [self.rows.offset, self.columns.offset], "reason": None,
        }  # fmt: skip


def unit_fields(graph: Graph, start: str, axes: tuple[int, int], shapes: Mapping[str, Shape]) -> dict[str, UnitFields]:
    """Value -> what its units see of the input ``start``, of all that is computed from it.

    axes: the input's rows and columns. shapes: of all values and weights that are known.
    """
    rows, columns = (_own(shapes[start][axis]) for axis in axes)
    picture = UnitFields(rows, columns, axes)
    found = {start: picture}
    for node in graph.every_node:
        read = [name for name in node.reads if name in found]
        if not read or node.operator in _SHAPES:
            continue
        for name in filter(None, node.outputs):
            try:
                found[name] = _behind(graph, node, name, read, found, shapes, picture)
            except DAMAGED:
                found[name] = _whole(node, picture, [found[one] for one in read])
    return found


def _own(length: int) -> Axis:
    return Axis(np.arange(length), np.arange(length), Fraction(1))


def _behind(
    graph: Graph, node: Node, name: str, read: list[str], found: Mapping[str, UnitFields], shapes: Mapping[str, Shape],
    picture: UnitFields,
) -> UnitFields:  # fmt: skip
    """What the units of one output see."""
    before = [found[one] for one in read]
    known = all(one in shapes for one in (*read, name)) and not node.captures
    first = before[0]
    if not known or any(one.axes is None for one in before):
        return _whole(node, picture, before)
    if node.operator == "Transpose" and first.axes is not None:
        order = attribute(node, "perm", None) or tuple(reversed(range(len(shapes[read[0]]))))
        return UnitFields(
            first.rows, first.columns, (order.index(first.axes[0]), order.index(first.axes[1])), first.unbounded
        )
    if node.operator == "Concat":
        axis = int(attribute(node, "axis", 0)) % len(shapes[name])
        if any(one.axes is None or axis in one.axes for one in before):
            return _whole(node, picture, before)
        return _joined(before, shapes, read, name) or _whole(node, picture, before)
    if node.operator in POINTWISE and len(read) > 1:
        return _joined(before, shapes, read, name) or _whole(node, picture, before)
    if node.operator not in POINTWISE and read != [node.inputs[0]]:
        return _whole(node, picture, before)
    if node.operator == "Split" and int(attribute(node, "axis", 0)) % len(shapes[name]) in (first.axes or ()):
        return _whole(node, picture, before)
    assert first.axes is not None
    question = Question(graph, node, shapes[read[0]], shapes[name], first.axes)
    reads = None if node.domain not in {"", "com.microsoft"} else reads_of(question, shapes)
    if reads is None or any(len(one.table) != question.lengths(k)[1] for k, one in enumerate(reads)):
        return _whole(node, picture, before)
    rows, columns = first.rows.behind(reads[0]), first.columns.behind(reads[1])
    unbounded = first.unbounded
    if unbounded is None and (reads[0].step is None or reads[1].step is None):
        unbounded = _reason(node)
    return UnitFields(rows, columns, first.axes, unbounded)


def _joined(before: list[UnitFields], shapes: Mapping[str, Shape], read: list[str], name: str) -> UnitFields | None:
    """What is computed place by place from several values; a single place is laid beside all of the others'."""
    full = [
        k
        for k, one in enumerate(before)
        if one.axes is not None and _sides(shapes[read[k]], one.axes) == _sides(shapes[name], one.axes)
    ]
    if not full or len({before[k].axes for k in full}) > 1:
        return None
    rows, columns, unbounded = before[full[0]].rows, before[full[0]].columns, before[full[0]].unbounded
    axes = before[full[0]].axes
    assert axes is not None
    for k, one in enumerate(before):
        if len(shapes[read[k]]) != len(shapes[name]) or one.axes != axes:
            return None
        wide = [_spread(axis, shapes[name][place]) for axis, place in zip((one.rows, one.columns), axes)]
        rows, columns = rows.joined(wide[0]), columns.joined(wide[1])
        unbounded = unbounded or one.unbounded
    return UnitFields(rows, columns, axes, unbounded)


def _sides(shape: Shape, axes: tuple[int, int]) -> tuple[int, ...]:
    return tuple(shape[axis] for axis in axes if axis < len(shape))


def _spread(axis: Axis, length: int) -> Axis:
    """The one place of an axis laid beside each of ``length``."""
    if len(axis.first) == length:
        return axis
    return Axis(np.repeat(axis.first, length), np.repeat(axis.last, length), None)


def _whole(node: Node, picture: UnitFields, before: list[UnitFields]) -> UnitFields:
    """Of what is not followed: everything may be seen."""
    said = next((one.unbounded for one in before if one.unbounded), None)
    ends = [Axis(np.zeros(1, np.int64), np.array([axis.last[-1]]), None) for axis in (picture.rows, picture.columns)]
    return UnitFields(ends[0], ends[1], None, said or _reason(node))


def _reason(node: Node) -> str:
    return f"{node.operator} {node.name or node.outputs[0]!r} reads all places"
