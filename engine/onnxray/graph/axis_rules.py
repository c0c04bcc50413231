"""How axes pass through operators: the rules by which rows and columns are followed through a graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from onnxray.graph.axis_factors import (
    Axes,
    Axis,
    Factor,
    Shape,
    cut,
    fresh,
    length,
    merged,
    picture,
    spatial,
    tokens_of,
)
from onnxray.graph.dequantised import plain_form
from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import attribute, constant
from onnxray.graph.operator_kinds import BROADCASTING, ELEMENTWISE, NORMALISING, RESHAPING, SPATIAL

_POINTWISE = ELEMENTWISE | BROADCASTING | NORMALISING | {"CastLike"}
_WINDOWED = SPATIAL | {"Resize", "Upsample"}


def track(graph: Graph, shapes: Mapping[str, Shape], starts: Mapping[str, Axes]) -> dict[str, Axes]:
    """The axes of every value that they can be told of, from those of the inputs; ``shapes``: of one sample, whole."""
    found = dict(starts)
    moving = _moving(graph)
    sizes: dict[str, int] = {factor.letter: factor.size for axes in starts.values() for axis in axes for factor in axis}
    for node in map(plain_form, graph.every_node):
        rule = _rule(node)
        if rule is None:
            continue
        for name in filter(None, node.outputs):
            shape = shapes.get(name)
            if shape is None or name not in moving:
                continue
            axes = rule(_Step(graph, shapes, found, sizes, moving, node, shape, name))
            if axes is not None and tuple(map(length, axes)) == shape:
                found[name] = axes
    return found


@dataclass(frozen=True)
class _Step:
    """One node's one output: what a rule reads."""

    graph: Graph
    shapes: Mapping[str, Shape]
    found: Mapping[str, Axes]
    sizes: Mapping[str, int]
    moving: frozenset[str]
    node: Node
    shape: Shape
    output: str

    def axes(self, place: int = 0) -> Axes | None:
        """The axes of an input, if they are known."""
        return self.found.get(self.node.inputs[place]) if place < len(self.node.inputs) else None

    def moves(self, place: int) -> bool:
        """Whether an input depends on the picture."""
        return self.node.inputs[place] in self.moving

    def axis(self, default: int, name: str = "axis") -> int:
        """The attribute ``axis``, from the front."""
        given = attribute(self.node, name, default)
        return int(given) % len(self.shapes.get(self.node.inputs[0], self.shape))


def _rule(node: Node) -> Callable[[_Step], Axes | None] | None:
    if node.operator in _POINTWISE:
        return _pointwise
    if node.operator in _WINDOWED or node.domain:
        return _windowed if node.operator in _WINDOWED else None
    if node.operator in RESHAPING:
        return _reshaped
    if node.operator.startswith("Reduce"):
        return _reduced
    return {
        "Transpose": _transposed, "MatMul": _product, "Gemm": _product, "Attention": _attended, "Concat": _joined,
        "Pad": _padded, "Slice": _sliced, "Split": _split, "Gather": _gathered,
    }.get(node.operator)  # fmt: skip


def _moving(graph: Graph) -> frozenset[str]:
    """The values that hold something of the picture, more than its size."""
    reached = {value.name for value in graph.inputs}
    for node in graph.every_node:
        if node.operator not in {"Shape", "Size"} and reached.intersection(node.reads):
            reached.update(filter(None, node.outputs))
    return frozenset(reached)


def _pointwise(step: _Step) -> Axes | None:
    """Axis by axis what an input has there; inputs that contradict each other leave nothing known."""
    rank, known = len(step.shape), []
    for name in step.node.inputs:
        axes = step.found.get(name)
        if axes is not None:
            known.append(((),) * (rank - len(axes)) + axes)
    if not known:
        return None
    result: list[Axis] = []
    for place, size in enumerate(step.shape):
        given = [axes[place] for axes in known if length(axes[place]) == size and (size > 1 or axes[place])]
        given = [axis for axis in given if spatial(axis)] or given  # a mixture of all places goes back to each
        if size > 1 and not given:
            return None
        if len({spatial(axis) for axis in given}) > 1:
            return None
        result.append(given[0] if given else ())
    return tuple(result)


def _windowed(step: _Step) -> Axes | None:
    """N, C, H, W, rows and columns of a resolution of their own."""
    axes, whole = step.axes(), step.sizes
    if len(step.shape) != 4:
        return None
    if axes is None:  # of unknown origin, yet no other thing than a picture is convolved over more than one place
        rows, columns = step.shape[2:]
        alike = abs(rows * whole.get("W", 1) - columns * whole.get("H", 1)) <= whole.get("W", 1)
        wide = math.prod(attribute(step.node, "kernel_shape", [1])) > 1
        return picture(step.shape, "NCHW") if alike and wide and step.shape[0] == whole.get("N") else None
    if len(axes) != 4:
        return None
    for axis, letter in zip(axes[2:], "HW"):
        if any(factor.letter != letter or not factor.outermost for factor in axis):
            return None
    if spatial(axes[0]) or any(factor.letter == "T" or factor.outermost for factor in spatial(axes[1])):
        return None
    return (axes[0], *picture(step.shape, "NCHW")[1:])


def _reshaped(step: _Step) -> Axes | None:
    """Factors dealt out again from the left, split where an axis ends within one."""
    axes = step.axes()
    if axes is None:
        return None
    queue = [factor for axis in axes for factor in axis]
    result: list[Axis] = []
    for size in step.shape:
        taken, need = list[Factor](), size
        if need == 1 and queue and queue[0].size == 1:
            taken.append(queue.pop(0))
        while need > 1:
            if not queue:
                return None
            factor = queue.pop(0)
            if need % factor.size == 0:
                need //= factor.size
                taken.append(factor)
            elif factor.size % need == 0 and factor.letter != "T":
                rest = factor.size // need
                taken.append(Factor(factor.letter, need, factor.stride * rest, factor.full))
                queue.insert(0, Factor(factor.letter, rest, factor.stride, factor.full))
                need = 1
            else:
                return None
        result.append(merged(taken))
    return None if queue else tuple(result)


def _transposed(step: _Step) -> Axes | None:
    axes = step.axes()
    order = attribute(step.node, "perm", list(range(len(step.shape)))[::-1])
    return None if axes is None else tuple(axes[place] for place in order)


def _reduced(step: _Step) -> Axes | None:
    axes = step.axes()
    if axes is None:
        return None
    given = attribute(step.node, "axes", None)
    if given is None and len(step.node.inputs) > 1:
        given = constant(step.graph, step.node.inputs[1])
        if given is None:
            return None
    gone = {int(a) % len(axes) for a in (range(len(axes)) if given is None else given)}
    kept = [() if place in gone else axis for place, axis in enumerate(axes)]
    if attribute(step.node, "keepdims", 1):
        return tuple(kept)
    return tuple(axis for place, axis in enumerate(axes) if place not in gone)


def _product(step: _Step) -> Axes | None:
    """Rows of the first, columns of the second; the columns of constants are channels."""
    if step.node.operator == "Gemm" and (attribute(step.node, "transA", 0) or not step.moves(0) or step.moves(1)):
        return None
    first, second = step.axes(0), step.axes(1)
    if step.moves(0) and not step.moves(1):
        return None if first is None else (*first[:-1], fresh("C", step.shape[-1]))
    if step.moves(1) and not step.moves(0):
        if second is None or len(second) < 2:
            return None
        return (*second[:-2], fresh("C", step.shape[-2]), second[-1])
    if first is None or second is None or len(first) != len(step.shape) or len(second) != len(step.shape):
        return None
    return (*first[:-1], second[-1])


def _attended(step: _Step) -> Axes | None:
    """Tokens of the queries, channels of the values."""
    axes = step.axes()
    if axes is None or step.output != step.node.outputs[0] or len(axes) != len(step.shape):
        return None
    return (*axes[:-1], fresh("C", step.shape[-1]))


def _joined(step: _Step) -> Axes | None:
    """Channels beside channels; other tokens before or after those of the picture."""
    place = step.axis(0)
    sizes = [step.shapes[name][place] if name in step.shapes else None for name in step.node.inputs]
    inputs = [step.found.get(name) for name in step.node.inputs]
    holding = [k for k, axes in enumerate(inputs) if axes is not None and spatial(axes[place])]
    known = [axes for axes in inputs if axes is not None]
    if not known or None in sizes:
        return None
    if not holding:
        if any(axes is None and step.moves(k) for k, axes in enumerate(inputs)):
            return None
        axis = fresh("C", step.shape[place])
    elif len(holding) == 1 and not any(
        axes is None and k != holding[0] and (sizes[k] or 0) > 1 and step.moves(k) for k, axes in enumerate(inputs)
    ):
        before = sum(size or 0 for size in sizes[: holding[0]])
        after = sum(size or 0 for size in sizes[holding[0] + 1 :])
        axis = (_among((inputs[holding[0]] or ())[place], before, after),)
    else:
        return None
    main = inputs[holding[0]] if holding else known[0]
    assert main is not None
    if any(spatial(axes[k]) not in ((), spatial(own)) for axes in known for k, own in enumerate(main) if k != place):
        return None
    return (*main[:place], axis, *main[place + 1 :])


def _padded(step: _Step) -> Axes | None:
    """Rows and columns that are more or fewer, and still go over the whole picture; constants beside its tokens."""
    axes = step.axes()
    if axes is None:
        return None
    result: list[Axis] = []
    for place, (axis, size) in enumerate(zip(axes, step.shape)):
        if length(axis) == size:
            result.append(axis)
        elif not spatial(axis):
            result.append(fresh("C", size))
        elif len(axis) == 1 and axis[0].letter != "T" and axis[0].outermost:
            result.append(fresh(axis[0].letter, size))
        else:
            added = _padding(step, place, len(axes))
            if added is None:
                return None
            result.append((_among(axis, *added),))
    return tuple(result)


def _padding(step: _Step, place: int, rank: int) -> tuple[int, int] | None:
    """How many constants stand before and after an axis; None where they are computed, or no constants."""
    if attribute(step.node, "mode", b"constant") not in {b"constant", "constant"}:
        return None
    named = dict(enumerate(step.node.inputs))
    pads, places = (constant(step.graph, named[k]) if named.get(k) else None for k in (1, 3))
    given = attribute(step.node, "pads", None) if pads is None else pads
    if given is None or (places is None and named.get(3)):
        return None
    along = [int(axis) % rank for axis in (range(rank) if places is None else places)]
    before, after = (int(given[along.index(place) + offset]) for offset in (0, len(along)))
    return (before, after) if before >= 0 and after >= 0 else None


def _among(axis: Axis, before: int, after: int) -> Factor:
    """An axis of tokens of the picture, with so many others before and after it."""
    tokens = axis[0] if len(axis) == 1 and axis[0].letter == "T" else Factor("T", length(axis), content=axis)
    return tokens_of(tokens.content, tokens.before + before, tokens.after + after)


def _sliced(step: _Step) -> Axes | None:
    axes = step.axes()
    if axes is None:
        return None
    given = _slice(step)
    if given is None:
        return None
    result = list(axes)
    for place, start in given:
        size = length(axes[place])
        axis = cut(axes[place], min(max(start + size if start < 0 else start, 0), size), step.shape[place])
        if axis is None:
            return None
        result[place] = axis
    return tuple(result)


def _slice(step: _Step) -> list[tuple[int, int]] | None:
    """(axis, start) of a slice, in steps of one; None where they are computed."""
    inputs, rank = step.node.inputs, len(step.shapes.get(step.node.inputs[0], step.shape))
    if len(inputs) == 1:
        starts, places, strides = (attribute(step.node, name, None) for name in ("starts", "axes", "steps"))
    else:
        named = (1, 3, 4)
        found = [constant(step.graph, inputs[k]) if k < len(inputs) and inputs[k] else None for k in named]
        if any(array is None for k, array in zip(named, found) if k < len(inputs) and inputs[k]):
            return None
        starts, places, strides = found
    if strides is not None and any(int(stride) != 1 for stride in strides):
        return None
    numbers = [int(start) for start in starts]
    return [(int(a) % rank, start) for a, start in zip(range(rank) if places is None else places, numbers)]


def _split(step: _Step) -> Axes | None:
    axes, place = step.axes(), step.axis(0)
    if axes is None:
        return None
    start = 0
    for name in step.node.outputs:
        if name == step.output:
            axis = cut(axes[place], start, step.shape[place])
            return None if axis is None else (*axes[:place], axis, *axes[place + 1 :])
        if name not in step.shapes:
            return None
        start += step.shapes[name][place]
    return None


def _gathered(step: _Step) -> Axes | None:
    """One entry of an axis, which is gone then; or some channels."""
    axes, place = step.axes(), step.axis(0)
    index = constant(step.graph, step.node.inputs[1])
    if axes is None or index is None:
        return None
    if index.ndim == 0:
        return (*axes[:place], *axes[place + 1 :])
    one = int(index.reshape(-1)[0]) if index.size == 1 else None
    axis = fresh("C", len(np.atleast_1d(index))) if not spatial(axes[place]) else None
    if one is not None and index.ndim == 1:
        axis = cut(axes[place], one % length(axes[place]), 1)
    return None if axis is None or index.ndim != 1 else (*axes[:place], axis, *axes[place + 1 :])
