"""Which layers stand for a network's scales, where a user names none: one for each halving of the picture."""

from __future__ import annotations

import math

import numpy as np

from onnxray.errors import InputError
from onnxray.model.layers.grid import Grid, Space
from onnxray.model.layers.map_layers import find_layers

_RECTIFIED = frozenset({"Add", "Clip", "Concat", "Elu", "Gelu", "HardSwish", "LeakyRelu", "Mish", "Mul", "PRelu",
                        "Relu", "Selu", "Sigmoid", "Softplus", "Swish", "Tanh"})  # fmt: skip


def scales(space: Space) -> tuple[Grid, ...]:
    """One value for each halving of the picture, from large to small, that all the classifier learns passes through.

    A scale is round(log2(height of the input / height of the value)). Of its values, those after a nonlinearity or a
    join of branches count, where there are any; of them the first that is no narrower than their median.
    """
    model = space.model
    assert model.profile is not None
    groups: dict[int, list[Grid]] = {}
    for grid in find_layers(space, [model.aliases["logits"]]).candidates:
        if grid.height > 1 and grid.width > 1 and grid.rows != grid.columns:
            groups.setdefault(round(math.log2(model.profile.size[0] / grid.height)), []).append(grid)
    return tuple(_representative(space, groups[scale]) for scale in sorted(groups))


def _representative(space: Space, grids: list[Grid]) -> Grid:
    makers = space.model.graph.producer_of
    active = [grid for grid in grids if grid.value in makers and makers[grid.value].operator in _RECTIFIED] or grids
    median = float(np.median([grid.channels for grid in active]))
    return next(grid for grid in active if grid.channels >= median)


def at_scale(space: Space, halvings: int) -> Grid:
    """The value of the scale nearest to ``halvings``. Errors: InputError where no value has rows and columns."""
    found = scales(space)
    if not found:
        raise InputError("no value of this network is known to keep rows and columns; name a layer with --layer")
    assert space.model.profile is not None
    high = space.model.profile.size[0]
    return min(found, key=lambda grid: abs(math.log2(high / grid.height) - halvings))
