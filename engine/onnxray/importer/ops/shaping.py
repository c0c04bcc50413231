"""Reshape and Flatten. Reshape-1 took its shape as an attribute, 14 added allowzero, the others added types."""

from __future__ import annotations

import math

import torch
from torch import nn

from onnxray.importer.scope import Converted, Converters, Scope, for_versions


class Reshape(nn.Module):
    """The same elements in another shape: -1 is worked out, 0 keeps the input's dimension unless ``allow_zero``."""

    def __init__(self, shape: tuple[int, ...] | None, allow_zero: bool) -> None:
        super().__init__()
        self.shape, self.allow_zero = shape, allow_zero

    def forward(self, x: torch.Tensor, shape: torch.Tensor | None = None) -> torch.Tensor:
        """Reshape to the fixed shape, or to the one that the graph computed."""
        sizes = self.shape if self.shape is not None else () if shape is None else tuple(shape.tolist())
        if not self.allow_zero:
            sizes = tuple(x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes))
        return x.reshape(sizes)


def _reshape(scope: Scope) -> Converted:
    allow_zero = bool(scope.attributes.get("allowzero", 0))
    if scope.version < 5:
        return Converted(Reshape(tuple(scope.attributes.get("shape", ())), allow_zero), scope.node.inputs[:1])
    shape = scope.constant(1)
    if shape is None:
        return Converted(Reshape(None, allow_zero), scope.node.inputs)
    return Converted(Reshape(tuple(shape.tolist()), allow_zero), scope.node.inputs[:1])


class Flatten(nn.Module):
    """Two axes: all before ``axis`` and all from it on."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Flatten; a negative axis counts from the end, 0 gives one row."""
        axis = self.axis + x.ndim if self.axis < 0 else self.axis
        return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def _flatten(scope: Scope) -> Converted:
    axis = int(scope.attributes.get("axis", 1))
    plain = axis == 1 and (scope.rank() or 0) > 1  # the module that hook-based tools know
    return Converted(nn.Flatten() if plain else Flatten(axis), scope.node.inputs[:1])


CONVERTERS: Converters = {
    **for_versions("Reshape", (1, 5, 13, 14, 19, 21, 23, 24, 25), _reshape),
    **for_versions("Flatten", (1, 9, 11, 13, 21, 23, 24, 25), _flatten),
}
