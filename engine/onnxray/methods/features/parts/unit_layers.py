"""A layer as channels of units at places, whatever its layout: what patches and unit statistics look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.graph.receptive.unit_fields import UnitFields, unit_fields
from onnxray.model.layers.grid import Grid, Space, layout_of, read_space
from onnxray.model.model import Model

_TWO = 2


@dataclass(frozen=True, eq=False)
class UnitLayer:
    """A value. grid: its rows and columns; None where each number of a picture is a channel of one unit. field: what
    its units see; None where that cannot be told.
    """

    name: str
    channels: int
    grid: Grid | None
    field: UnitFields | None

    def maps(self, array: NDArray[Any]) -> NDArray[Any]:
        """(n, channels, rows, columns) of the value. Errors: InputError where there are numbers that are not finite."""
        if not np.isfinite(array).all():
            raise InputError(f"{self.name!r} holds numbers that are not finite; name another layer")
        return array.reshape(len(array), -1, 1, 1) if self.grid is None else self.grid.maps(array)

    def index(self, channel: int, row: int, column: int) -> list[int]:
        """Where a unit stands in the value, without the axis of samples."""
        if self.grid is None:
            return [channel]
        grid, place = self.grid, [0] * (len(self.grid.shape) - 1)
        others = [axis for axis in range(1, len(grid.shape)) if axis not in {grid.rows, grid.columns}]
        for axis, at in zip(others, np.unravel_index(channel, [grid.shape[axis] for axis in others])):
            place[axis - 1] = int(at)
        if grid.rows == grid.columns:
            place[grid.rows - 1] = grid.before + row * grid.width + column
        else:
            place[grid.rows - 1], place[grid.columns - 1] = row, column
        return place


def unit_layers(model: Model, names: tuple[str, ...]) -> tuple[UnitLayer, ...]:
    """The layers by name. Errors: InputError for one whose rows and columns cannot be told."""
    space = read_space(model)
    fields = fields_of(model, space)
    shapes = model.shapes(names)
    return tuple(_layer(space, fields.get(name), name, shapes[name]) for name in names)


def fields_of(model: Model, space: Space) -> dict[str, UnitFields]:
    """What the units of every value see of the picture."""
    letters = layout_of(model, space.input)
    return unit_fields(model.graph, space.input, (letters.index("H"), letters.index("W")), space.shapes)


def _layer(space: Space, field: UnitFields | None, name: str, shape: tuple[int, ...]) -> UnitLayer:
    if len(shape) < _TWO:
        raise InputError(f"{name!r} has the shape {list(shape)}, no channels; name another layer")
    if sum(size > 1 for size in shape[1:]) <= 1:  # numbers alone, or channels of a single place
        return UnitLayer(name, int(np.prod(shape[1:])), None, field)
    grid = space.grid(name)
    return UnitLayer(name, grid.channels, grid, field)
