"""LRN, LpNormalization and MeanVarianceNormalization, all versions: they differ in their types alone."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.ops.neural.unpooling import power, root


class LocalResponseNorm(nn.Module):
    """x / (bias + alpha / size * sum of x^2 over ``size`` channels around)^beta, fewer before than after if even."""

    def __init__(self, size: int, alpha: float, beta: float, bias: float) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.bias = size, alpha, beta, bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Average the squares of neighbouring channels."""
        before = (self.size - 1) // 2
        squares = (x * x).reshape(x.shape[0], 1, x.shape[1], -1)
        padded = functional.pad(squares, (0, 0, before, self.size - 1 - before))
        means = functional.avg_pool2d(padded, (self.size, 1), stride=1).reshape(x.shape)
        return x / (self.bias + self.alpha * means) ** self.beta


def _lrn(scope: Scope) -> Converted:
    get = scope.attributes.get
    size = int(get("size", 0))
    if size < 1:
        raise scope.refuse(f"its size is {size}; at least 1 was expected")
    module = LocalResponseNorm(size, float(get("alpha", 1e-4)), float(get("beta", 0.75)), float(get("bias", 1.0)))
    return Converted(module, scope.node.inputs)


class LpNorm(nn.Module):
    """x / (sum along the axis of |x|^p)^(1/p); 0 where the norm is 0."""

    def __init__(self, axis: int, p: int) -> None:
        super().__init__()
        self.axis, self.p = axis, p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise."""
        norm = root(power(x, self.p).sum(self.axis, keepdim=True), self.p)
        return torch.where(norm > 0, x / torch.where(norm > 0, norm, 1), 0)


def _lp_normalization(scope: Scope) -> Converted:
    p = int(scope.attributes.get("p", 2))
    if p not in {1, 2}:
        raise scope.refuse(f"its p is {p}; the standard knows 1 and 2")
    return Converted(LpNorm(int(scope.attributes.get("axis", -1)), p), scope.node.inputs)


class MeanVarianceNorm(nn.Module):
    """(x - mean) / (sqrt(mean of (x - mean)^2) + 1e-9) over the axes."""

    def __init__(self, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise."""
        centred = x - x.mean(self.axes, keepdim=True)
        return centred / (root((centred * centred).mean(self.axes, keepdim=True), 2) + 1e-9)


def _mean_variance_normalization(scope: Scope) -> Converted:
    return Converted(MeanVarianceNorm(tuple(scope.attributes.get("axes", (0, 2, 3)))), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("LRN", (1, 13), _lrn),
    **for_versions("LpNormalization", (1, 22), _lp_normalization),
    **for_versions("MeanVarianceNormalization", (9, 13), _mean_variance_normalization),
}
