"""Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Expand, Shape, Size, DepthToSpace and SpaceToDepth.

Reshape-1 took its shape as an attribute, 14 added allowzero; Squeeze and Unsqueeze took their axes as an attribute
before 13; Shape-15 added start and end; DepthToSpace-11 and SpaceToDepth-28 added the mode. The rest added types.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from onnxray.errors import InputError
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.nodes.shape_parameters import computed, integers, numbers


class Reshape(nn.Module):
    """The same elements in another shape: -1 is worked out, 0 keeps the input's dimension unless ``allow_zero``."""

    def __init__(self, shape: tuple[int, ...] | None, allow_zero: bool) -> None:
        super().__init__()
        self.shape, self.allow_zero = shape, allow_zero

    def forward(self, x: torch.Tensor, shape: torch.Tensor | None = None) -> torch.Tensor:
        """Reshape to the fixed shape, or to the one that the graph computed."""
        return self.to_sizes(
            x, self.shape if self.shape is not None else () if shape is None else tuple(shape.tolist())
        )

    def to_sizes(self, x: torch.Tensor, sizes: tuple[int, ...]) -> torch.Tensor:
        """Reshape to these sizes."""
        if not self.allow_zero:
            sizes = tuple(x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes))
        return x.reshape(sizes)


def _reshape(scope: Scope) -> Converted:
    allow_zero = bool(scope.attributes.get("allowzero", 0))
    if scope.version < 5:
        return Converted(Reshape(tuple(scope.attributes.get("shape", ())), allow_zero), scope.node.inputs[:1])
    return Converted(Reshape(numbers(scope, 1), allow_zero), computed(scope))


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


class Squeeze(nn.Module):
    """The input without the given axes, each of length 1; without all axes of length 1 where none are given."""

    def __init__(self, axes: tuple[int, ...] | None) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
        """Drop the axes."""
        dropped = self.axes if axes is None else integers(axes)
        if dropped is None:
            return x.squeeze()
        for axis in dropped:
            if x.shape[axis] != 1:
                raise InputError(f"Squeeze drops axis {axis}, which has length {x.shape[axis]}; 1 was expected")
        return x.squeeze(dropped)


class Unsqueeze(nn.Module):
    """The input with new axes of length 1 at the given places of the output."""

    def __init__(self, axes: tuple[int, ...] | None) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
        """Insert the axes, counted in the output."""
        added = self.axes if axes is None else integers(axes)
        added = () if added is None else added
        rank = x.ndim + len(added)
        for axis in sorted(axis % rank for axis in added):
            x = x.unsqueeze(axis)
        return x


def _axes(scope: Scope) -> tuple[int, ...] | None:
    """Axes as an attribute (before 13) or as an input; None where they are left out or computed."""
    if scope.version < 13:
        axes = scope.attributes.get("axes")
        return None if axes is None else tuple(axes)
    return numbers(scope, 1)


def _squeeze(scope: Scope) -> Converted:
    axes = _axes(scope)
    if axes == ():
        raise scope.refuse("its axes are an empty list, for which runtimes drop all axes of length 1 or none")
    return Converted(Squeeze(axes), computed(scope))


def _unsqueeze(scope: Scope) -> Converted:
    return Converted(Unsqueeze(_axes(scope)), computed(scope))


class Transpose(nn.Module):
    """The axes in another order, the reverse one where none is given."""

    def __init__(self, order: tuple[int, ...] | None) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Permute."""
        return x.permute(self.order if self.order is not None else tuple(reversed(range(x.ndim))))


def _transpose(scope: Scope) -> Converted:
    order = scope.attributes.get("perm")
    return Converted(Transpose(None if order is None else tuple(order)), scope.node.inputs)


class Expand(nn.Module):
    """The input broadcast with a shape, as numpy broadcasts: either may have the 1."""

    def __init__(self, shape: tuple[int, ...] | None) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: torch.Tensor, shape: torch.Tensor | None = None) -> torch.Tensor:
        """Broadcast; the result is a view."""
        sizes = self.shape if shape is None else integers(shape)
        both: torch.Size = torch.broadcast_shapes(x.shape, sizes or ())  # type: ignore[no-untyped-call]
        return x.expand(both)


def _expand(scope: Scope) -> Converted:
    return Converted(Expand(numbers(scope, 1)), computed(scope))


class Shape(nn.Module):
    """The lengths of the axes from ``start`` to before ``end``, clamped as a slice is; no gradient."""

    def __init__(self, start: int | None, end: int | None) -> None:
        super().__init__()
        self.start, self.end = start, end

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the shape."""
        return torch.tensor(x.shape[self.start : self.end], dtype=torch.int64, device=x.device)


def _shape(scope: Scope) -> Converted:
    get = scope.attributes.get
    return Converted(Shape(get("start"), get("end")), scope.node.inputs)


class Size(nn.Module):
    """How many elements the input has; no gradient."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the number."""
        return torch.tensor(x.numel(), dtype=torch.int64, device=x.device)


def _size(scope: Scope) -> Converted:
    return Converted(Size(), scope.node.inputs)


class DepthToSpace(nn.Module):
    """Channels into blocks of block x block pixels.

    The channel axis is (row, column, depth) in the mode DCR and (depth, row, column) in the mode CRD.
    """

    def __init__(self, block: int, depth_first: bool) -> None:
        super().__init__()
        self.block, self.depth_first = block, depth_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Rearrange."""
        n, c, h, w = x.shape
        b = self.block
        depth = c // b**2
        if self.depth_first:
            parts = x.reshape(n, depth, b, b, h, w).permute(0, 1, 4, 2, 5, 3)
        else:
            parts = x.reshape(n, b, b, depth, h, w).permute(0, 3, 4, 1, 5, 2)
        return parts.reshape(n, depth, h * b, w * b)


class SpaceToDepth(nn.Module):
    """Blocks of block x block pixels into channels, the reverse of DepthToSpace."""

    def __init__(self, block: int, depth_first: bool) -> None:
        super().__init__()
        self.block, self.depth_first = block, depth_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Rearrange."""
        n, c, h, w = x.shape
        b = self.block
        parts = x.reshape(n, c, h // b, b, w // b, b)
        order = (0, 1, 3, 5, 2, 4) if self.depth_first else (0, 3, 5, 1, 2, 4)
        return parts.permute(order).reshape(n, c * b**2, h // b, w // b)


def _blocks(scope: Scope) -> Converted:
    mode = scope.attributes.get("mode", "DCR")
    if mode not in {"DCR", "CRD"}:
        raise scope.refuse(f"its mode is {mode!r}, DCR and CRD are known")
    kind = DepthToSpace if scope.node.operator == "DepthToSpace" else SpaceToDepth
    return Converted(kind(int(scope.attributes["blocksize"]), mode == "CRD"), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("Reshape", (1, 5, 13, 14, 19, 21, 23, 24, 25), _reshape),
    **for_versions("Flatten", (1, 9, 11, 13, 21, 23, 24, 25), _flatten),
    **for_versions("Squeeze", (1, 11, 13, 21, 23, 24, 25), _squeeze),
    **for_versions("Unsqueeze", (13, 21, 23, 24, 25), _unsqueeze),
    **for_versions("Transpose", (1, 13, 21, 23, 24, 25), _transpose),
    **for_versions("Expand", (8, 13), _expand),
    **for_versions("Shape", (1, 13, 15, 19, 21, 23, 24, 25), _shape),
    **for_versions("Size", (1, 13, 19, 21, 23, 24, 25), _size),
    **for_versions("DepthToSpace", (1, 11, 13, 28), _blocks),
    **for_versions("SpaceToDepth", (1, 13, 28), _blocks),
}
