"""Softmax, LogSoftmax, Hardmax: before version 13 over all axes from ``axis`` on, from 13 on over ``axis`` alone."""

from __future__ import annotations

import math

import torch
from torch import nn

from onnxray.importer.nodes.scope import Converted, Converter, Converters, Scope, for_versions


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


class MaskedSoftmax(nn.Softmax):
    """exp(x) / sum exp(x) along an axis, NaN where all of x is minus infinity, and no gradient there.

    For graphs that replace those NaN, as masked attention does: what is replaced has a gradient of zero, which the
    plain softmax would multiply by NaN.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Compute the masked rows on zeros, and mark them afterwards."""
        masked = torch.isneginf(input).all(self.dim, keepdim=True)
        return torch.where(masked, torch.nan, super().forward(torch.where(masked, 0.0, input)))


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


def _is_replaced(scope: Scope) -> bool:
    """Whether the graph chooses between the node's output, as it is or in another type, and something else."""
    pending = list(scope.node.outputs)
    while pending:
        for reader in scope.graph.readers_of.get(pending.pop(), ()):
            if reader.operator == "Where":
                return True
            if reader.operator in {"Cast", "Identity"}:
                pending += reader.outputs
    return False


def _along(module: type[nn.Module]) -> Converter:
    def convert(scope: Scope) -> Converted:
        if scope.version >= 13:
            guarded = module is nn.Softmax and _is_replaced(scope)
            kind = MaskedSoftmax if guarded else module
            return Converted(kind(dim=int(scope.attributes.get("axis", -1))), scope.node.inputs)
        axis, rank = int(scope.attributes.get("axis", 1)), scope.rank()
        if axis == -1 or (rank is not None and axis == rank - 1):
            return Converted(module(dim=axis), scope.node.inputs)
        return Converted(Flattened(module(dim=-1), axis), scope.node.inputs)

    return convert


CONVERTERS: Converters = {
    **for_versions("Softmax", (1, 11), _along(nn.Softmax)),
    **for_versions("LogSoftmax", (1, 11), _along(nn.LogSoftmax)),
    **for_versions("Hardmax", (1, 11, 13), _along(Hardmax)),
}
