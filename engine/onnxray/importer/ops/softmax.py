"""Softmax, LogSoftmax, Hardmax: before version 13 over all axes from ``axis`` on, from 13 on over ``axis`` alone."""

from __future__ import annotations

import math

import torch
from torch import nn

from onnxray.importer.scope import Converted, Converter, Converters, Scope, for_versions


class Hardmax(nn.Module):
    """1 at the first maximum along an axis, 0 elsewhere. No gradient: the output is constant almost everywhere."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mark the maxima."""
        if not x.numel():
            return x
        first = torch.argmax(x, self.dim, keepdim=True)
        return torch.zeros_like(x).scatter(self.dim, first, 1)


class Flattened(nn.Module):
    """f along all axes from ``axis`` on, taken as one."""

    def __init__(self, module: nn.Module, axis: int) -> None:
        super().__init__()
        self.module, self.axis = module, axis

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Flatten, compute along the last axis, restore the shape."""
        axis = self.axis + x.ndim if self.axis < 0 else self.axis
        flat = x.reshape(*x.shape[:axis], math.prod(x.shape[axis:]))
        return self.module(flat).reshape(x.shape)  # type: ignore[no-any-return]


def _along(module: type[nn.Module]) -> Converter:
    def convert(scope: Scope) -> Converted:
        if scope.version >= 13:
            return Converted(module(dim=int(scope.attributes.get("axis", -1))), scope.node.inputs)
        axis, rank = int(scope.attributes.get("axis", 1)), scope.rank()
        if axis == -1 or (rank is not None and axis == rank - 1):
            return Converted(module(dim=axis), scope.node.inputs)
        return Converted(Flattened(module(dim=-1), axis), scope.node.inputs)

    return convert


CONVERTERS: Converters = {
    **for_versions("Softmax", (1, 11, 13), _along(nn.Softmax)),
    **for_versions("LogSoftmax", (1, 11, 13), _along(nn.LogSoftmax)),
    **for_versions("Hardmax", (1, 11, 13), _along(Hardmax)),
}
