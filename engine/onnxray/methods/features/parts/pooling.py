"""What is kept of a value with rows and columns: all of it, or the mean or the largest number of each channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import OnnxrayError
from onnxray.model.layers.grid import Grid, read_space
from onnxray.model.model import Model

Array = NDArray[Any]
Pool = Literal["none", "mean", "max"]


def pool_of(model: Model, name: str, pool: Pool) -> Callable[[Array], Array]:
    """What makes of a value's rows what is kept of it; what has no rows and columns is kept as it is."""
    grid = None if pool == "none" else grid_of(model, name)
    if grid is None:
        return np.asarray
    return lambda value: _pooled(grid, value, pool)


def grid_of(model: Model, name: str) -> Grid | None:
    """A value's rows and columns; None where it has none that can be told."""
    try:
        return read_space(model).grid(name)
    except OnnxrayError:
        return None


def _pooled(grid: Grid, value: Array, pool: Pool) -> Array:
    maps = grid.maps(value)
    return np.asarray(maps.mean((2, 3), dtype=np.float32) if pool == "mean" else maps.max((2, 3)))
