"""LpPool, GlobalLpPool and MaxUnpool, all versions: p was a float at first, 18 added dilations and ceil_mode."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.ops.neural.pooling import Windows, read_windows


def power(x: torch.Tensor, p: float) -> torch.Tensor:
    """|x|^p."""
    if p == 2:
        return x * x
    return x.abs() if p == 1 else x.abs() ** p


def root(total: torch.Tensor, p: float) -> torch.Tensor:
    """total^(1/p), whose gradient at 0 is taken as 0 rather than as infinity."""
    if p == 1:
        return total
    positive = total > 0
    safe = torch.where(positive, total, 1)
    return torch.where(positive, safe.sqrt() if p == 2 else safe ** (1 / p), 0)


class LpPool(nn.Module):
    """(sum over the window of |x|^p)^(1/p)."""

    def __init__(self, windows: Windows, p: float) -> None:
        super().__init__()
        self.windows, self.p = windows, p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Padding with zeros adds nothing to a norm."""
        flat, _ = self.windows.placed(tuple(x.shape[2:]))
        return root(self.windows.sums(functional.pad(power(x, self.p), flat)), self.p)


class GlobalLpPool(nn.Module):
    """(sum over all spatial axes of |x|^p)^(1/p); the axes stay, with length 1."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool every axis from the third on."""
        return root(power(x, self.p).sum(tuple(range(2, x.ndim)), keepdim=True), self.p) if x.ndim > 2 else x.abs()


class MaxUnpool(nn.Module):
    """Zeros but for the places that the indices name, which take the input's values; of several the last.

    The indices count in the shape that the pool would have pooled; a given output shape is filled from its beginning.
    (So the standard has it; ONNX Runtime counts them in the given shape, which a comparison with it shows.)
    """

    def __init__(self, windows: Windows) -> None:
        super().__init__()
        self.windows = windows

    def forward(self, x: torch.Tensor, indices: torch.Tensor, output_shape: torch.Tensor | None = None) -> torch.Tensor:
        """Look up, for every place, who writes to it last: so the gradient goes to that one alone."""
        kernel, stride, padding = self.windows.kernel, self.windows.stride, self.windows.padding
        sizes = [
            (length - 1) * s - begin - end + k
            for length, s, begin, end, k in zip(x.shape[2:], stride, padding.begins, padding.ends, kernel)
        ]
        shape = (*x.shape[:2], *sizes)
        writers = torch.full((math.prod(shape),), -1, dtype=torch.int64, device=x.device)
        order = torch.arange(x.numel(), device=x.device)
        writers = writers.scatter_reduce(0, indices.reshape(-1), order, "amax")
        y = torch.where(writers >= 0, x.reshape(-1)[writers.clamp(min=0)], 0).reshape(shape)
        if output_shape is None:
            return y
        wanted = output_shape.tolist()
        return functional.pad(y, [n for a in reversed(range(len(shape))) for n in (0, wanted[a] - shape[a])])


def _lp_pool(scope: Scope) -> Converted:
    return Converted(LpPool(read_windows(scope), _p(scope)), scope.node.inputs)


def _global_lp_pool(scope: Scope) -> Converted:
    return Converted(GlobalLpPool(_p(scope)), scope.node.inputs)


def _p(scope: Scope) -> float:
    p = float(scope.attributes.get("p", 2))
    if p < 1:
        raise scope.refuse(f"its p is {p:g}; norms of at least 1 are known")
    return p


def _max_unpool(scope: Scope) -> Converted:
    return Converted(MaxUnpool(read_windows(scope)), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("LpPool", (1, 2, 11, 18, 22), _lp_pool),
    **for_versions("GlobalLpPool", (1, 2, 22), _global_lp_pool),
    **for_versions("MaxUnpool", (9, 11, 22), _max_unpool),
}
