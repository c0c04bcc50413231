"""Values as maps over the picture: (N, C, h, w) from whatever layout a network keeps them in.

    (N, C, h, w)   convolutions            (N, h, w, C)   Swin, ConvNeXt, TensorFlow
    (N, T, C)      tokens: T = h w, and class, register or distillation tokens beside them, which are left out

Which axes are rows, columns and tokens is followed through the graph (graph/axis_factors.py), never guessed from their
sizes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, RuntimeRefusal
from onnxray.graph.axis_factors import Axes, Axis, Shape, picture, spatial
from onnxray.graph.axis_rules import track
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.node_attributes import attribute
from onnxray.graph.operator_kinds import BROADCASTING, ELEMENTWISE, SPATIAL
from onnxray.images.pixels import Pixels
from onnxray.model.beginning import computed_from
from onnxray.model.model import Model


@dataclass(frozen=True)
class Grid:
    """Where a value holds the picture's rows and columns: on two axes, or row by row on one of tokens.

    before, after: how many other tokens stand around those of the picture. shape: the value's, of one sample.
    """

    value: str
    shape: Shape
    rows: int
    columns: int
    height: int
    width: int
    before: int = 0
    after: int = 0

    @property
    def kind(self) -> str:
        """The layout in words."""
        if self.rows == self.columns:
            beside = self.before + self.after
            other = f" and {beside} other token{'s' if beside > 1 else ''}" if beside else ""
            return f"{self.height} x {self.width} tokens{other}"
        return f"{self.height} x {self.width}, channels on axis {self.channel_axes}"

    @property
    def channel_axes(self) -> str:
        """The axes that are neither samples, rows nor columns."""
        return ", ".join(str(a) for a in range(1, len(self.shape)) if a not in {self.rows, self.columns})

    @property
    def channels(self) -> int:
        """How many numbers the value has at a place."""
        return int(np.prod([self.shape[a] for a in range(1, len(self.shape)) if a not in {self.rows, self.columns}]))

    def maps(self, array: NDArray[Any]) -> NDArray[Any]:
        """(N, C, h, w) of a value, or of its gradient; tokens beside the picture's are left out.

        Errors: InputError where the array is not of the value's shape.
        """
        if array.shape[1:] != self.shape[1:]:
            raise InputError(
                f"{self.value!r} has the shape {list(array.shape)} here, {list(self.shape)} was expected; "
                "its rows and columns cannot be told"
            )
        if self.rows == self.columns:
            array = np.moveaxis(array, self.rows, -1)[..., self.before : self.before + self.height * self.width]
        else:
            array = np.moveaxis(array, (self.rows, self.columns), (-2, -1))
        return np.ascontiguousarray(array.reshape(len(array), self.channels, self.height, self.width))


@dataclass(frozen=True)
class Space:
    """The rows and columns of every value of a model's graph, as far as they can be told.

    input: whose rows and columns they are; layouts: of it, and of other inputs that hold the same places (a depth
    beside a picture).
    """

    model: Model
    input: str
    layouts: Mapping[str, str]
    shapes: Mapping[str, Shape]

    @cached_property
    def axes(self) -> dict[str, Axes]:
        """Value -> its axes."""
        starts = {name: picture(self.shapes[name], layout) for name, layout in self.layouts.items()}
        return track(self.model.graph, self.shapes, starts)

    @cached_property
    def reached(self) -> frozenset[str]:
        """The values that depend on the input, and itself."""
        graph = self.model.graph
        if len(graph.inputs) == 1:
            return graph.depends_on_input
        return frozenset({self.input, *computed_from(graph, [self.input])})

    def grid(self, value: str) -> Grid:
        """The rows and columns of a value. Errors: InputError naming the value, where it has none that can be told."""
        shape = self.shapes.get(value)
        if shape is not None and (len(shape) < 3 or sum(size > 1 for size in shape[1:]) < 2):
            raise InputError(
                f"{value!r} has the shape {list(shape)}, no rows and columns; name a layer before the pooling: "
                "onnxray saliency layers MODEL"
            )
        axes = self.axes.get(value)
        if axes is None or shape is None:
            raise InputError(
                f"{value!r}{'' if shape is None else f' has the shape {list(shape)}, and'} which of its axes are rows "
                "and columns cannot be told from the graph; those of which it can: onnxray saliency layers MODEL"
            )
        found = _grid(value, shape, axes)
        if found is None:
            raise InputError(
                f"{value!r} has the shape {list(shape)}, whose axes are not one grid over the picture (windows, an "
                "attention matrix, or pooled); layers that are: onnxray saliency layers MODEL"
            )
        return found

    def grids(self, values: Iterable[str]) -> dict[str, Grid]:
        """Those of ``values`` that have rows and columns, with them."""
        found = {}
        for value in values:
            if value in self.axes:
                grid = _grid(value, self.shapes[value], self.axes[value])
                if grid is not None:
                    found[value] = grid
        return found


def layout_of(model: Model, name: str) -> str:
    """``NCHW`` or ``NHWC`` of an input: the profile's word; without one, by the first operator of rows and columns.

    That stands behind the input, or behind what takes each of its numbers by itself or joins it with others; before it
    the axes may be moved once. Errors: InputError where the graph does not tell.
    """
    if model.profile is not None:
        return model.profile.layout
    graph = model.graph
    reads = graph.readers_of.get(name, ())
    moved = False
    while len(reads) == 1:
        node = reads[0]
        if node.operator in SPATIAL:
            return "NHWC" if moved else "NCHW"
        if node.operator == "Transpose" and attribute(node, "perm", None) == [0, 3, 1, 2] and not moved:
            moved = True
        elif node.operator not in ELEMENTWISE | BROADCASTING | {"BatchNormalization", "Concat"}:
            break
        reads = graph.readers_of.get(node.outputs[0], ())
    if len(graph.inputs) > 1:
        raise InputError(
            f"no convolution or pooling right behind the input {name!r} tells which of its axes are rows and columns; "
            "name an input whose picture the layer sees (wrt)"
        )
    raise InputError(
        "the model's input is no image (no profile fits it), and no convolution or pooling right behind it tells which "
        "of its axes are rows and columns; state how pixels enter it with --profile"
    )


def holds_picture(model: Model, name: str) -> bool:
    """Whether it can be told which axes of an input are rows and columns."""
    try:
        layout_of(model, name)
    except InputError:
        return False
    return True


def picture_size(model: Model, pixels: Pixels) -> tuple[int, int]:
    """Rows and columns of samples as ``Pixels`` holds them: (N, C, H, W), or as the model takes them without a profile.

    Errors: InputError where they have none.
    """
    samples = pixels.array
    if samples.ndim != 4:
        raise InputError(f"samples of shape {list(samples.shape[1:])} have no rows and columns; use a gradient method")
    first = 1 if channels_last(model, pixels) else 2
    return samples.shape[first], samples.shape[first + 1]


def channels_last(model: Model, pixels: Pixels) -> bool:
    """Whether ``Pixels`` holds samples as (N, H, W, C); pictures of a profile are (N, C, H, W) there, whatever it says.

    Errors: InputError where it cannot be told.
    """
    return model.profile is None and layout_of(model, pixels.input or model.graph.inputs[0].name) == "NHWC"


def read_space(model: Model, pixels: Pixels | None = None) -> Space:
    """Follow rows and columns through a model's graph, from its only input or from the one that ``pixels`` are for.

    Shapes that the file does not state are measured by the judge. Errors: InputError where it cannot be told which axes
    of the input are rows and columns.
    """
    inputs = [value.name for value in model.graph.inputs]
    if len(inputs) > 1:
        seen = next((one for one in inputs if holds_picture(model, one)), inputs[0])
        return _space_beside(model, seen if pixels is None or pixels.input is None else pixels.input, pixels)
    graph, name = model.graph, inputs[0]
    layout = layout_of(model, name)
    batch = fixed_batch_of(graph) or 1
    shapes: dict[str, Shape] = {name: tuple(tensor.dims) for name, tensor in graph.initializers.items()}
    first = graph.inputs[0].shape
    symbol = first[0] if first else None
    unknown = []
    for value in graph.values.values():
        stated = value.shape
        if stated is not None and stated and isinstance(symbol, str) and stated[0] == symbol:
            stated = (batch, *stated[1:])
        if stated is not None and all(isinstance(size, int) for size in stated):
            shapes[value.name] = tuple(int(size) for size in stated if isinstance(size, int))
        elif value.kind in {"node", "dequantised"}:
            unknown.append(value.name)
    shapes[name] = (batch, *model.shapes([name])[name][1:])
    if batch == 1 and unknown:
        with contextlib.suppress(RuntimeRefusal):  # sequences and the like; what follows has no rows and columns
            shapes.update(model.shapes(unknown, once=True))
    return Space(model, name, {name: layout}, shapes)


def _space_beside(model: Model, name: str, pixels: Pixels | None) -> Space:
    """The space of one of several inputs. Shapes are those of the first sample, for sizes that the file leaves free
    have to agree, as they do there; of a seeded one where none is given.
    """
    graph = model.graph
    layout = layout_of(model, name)
    shapes: dict[str, Shape] = {key: tuple(tensor.dims) for key, tensor in graph.initializers.items()}

    def measured(names: Sequence[str]) -> dict[str, Shape]:
        if pixels is None:
            return model.shapes(names, once=True)
        return {key: array.shape for key, array in model.values(pixels.rows(slice(0, 1)), names).items()}

    shapes.update(measured([value.name for value in graph.inputs]))
    with contextlib.suppress(RuntimeRefusal):  # sequences and the like; what follows has no rows and columns
        shapes.update(measured([value.name for value in graph.values.values() if value.kind == "node"]))
    layouts = {one.name: layout_of(model, one.name) for one in graph.inputs if holds_picture(model, one.name)}
    sides = _sides(shapes[name], layout)
    alike = {key: own for key, own in layouts.items() if _sides(shapes[key], own) == sides}
    return Space(model, name, alike, shapes)


def _sides(shape: Shape, layout: str) -> tuple[int, ...]:
    """Samples, rows and columns."""
    return tuple(size for size, letter in zip(shape, layout) if letter != "C")


def _grid(value: str, shape: Shape, axes: Axes) -> Grid | None:
    if any(factor.letter != "N" for factor in axes[0]):
        return None
    rows = [a for a, axis in enumerate(axes) if _holds(axis, "H")]
    columns = [a for a, axis in enumerate(axes) if _holds(axis, "W")]
    if len(rows) != 1 or len(columns) != 1:
        return None
    row, column = rows[0], columns[0]
    if row != column:
        own, other = spatial(axes[row]), spatial(axes[column])
        if len(axes[row]) != 1 or len(axes[column]) != 1 or own[0].letter != "H" or other[0].letter != "W":
            return None
        return Grid(value, shape, row, column, own[0].size, other[0].size)
    return token_grid(value, shape, axes[row], row)


def token_grid(value: str, shape: Shape, axis: Axis, place: int) -> Grid | None:
    """The rows and columns on one axis of tokens, which stands at ``place``; None where it is none."""
    before = after = 0
    if len(axis) == 1 and axis[0].letter == "T":
        before, after, axis = axis[0].before, axis[0].after, axis[0].content
    if [factor.letter for factor in axis] != ["H", "W"] or not all(factor.outermost for factor in axis):
        return None
    return Grid(value, shape, place, place, axis[0].size, axis[1].size, before, after)


def _holds(axis: Axis, letter: str) -> bool:
    """Whether an axis runs over the whole picture along a letter."""
    inner = [part for factor in axis for part in (factor.content or (factor,))]
    return any(factor.letter == letter and factor.outermost for factor in inner)
