"""Gemm, all versions: 7 broadcasts C by itself, 11 made C optional, the others added types."""

from __future__ import annotations

import torch
from torch import nn

from onnxray.importer.scope import Converted, Converters, Scope, for_versions


class Gemm(nn.Module):
    """alpha * A' B' + beta * C, where a prime means transposed on demand."""

    def __init__(self, alpha: float, beta: float, transpose_a: bool, transpose_b: bool) -> None:
        super().__init__()
        self.alpha, self.beta, self.transpose_a, self.transpose_b = alpha, beta, transpose_a, transpose_b

    def forward(self, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        """Multiply and add, nothing in place."""
        product = (a.t() if self.transpose_a else a) @ (b.t() if self.transpose_b else b)
        if self.alpha != 1:
            product = product * self.alpha
        if c is None:
            return product
        return product + (c if self.beta == 1 else c * self.beta)


def _gemm(scope: Scope) -> Converted:
    get = scope.attributes.get
    alpha, beta = float(get("alpha", 1.0)), float(get("beta", 1.0))
    weight, bias = scope.constant(1), scope.constant(2)
    plain = alpha == 1 and beta == 1 and not get("transA", 0) and get("transB", 0)
    fitting = bias is None or (isinstance(bias, nn.Parameter) and weight is not None and bias.shape == weight.shape[:1])
    if not plain or not isinstance(weight, nn.Parameter) or not fitting or (scope.input(2) and bias is None):
        return Converted(Gemm(alpha, beta, bool(get("transA", 0)), bool(get("transB", 0))), scope.node.inputs)
    module = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    module.weight = weight
    if isinstance(bias, nn.Parameter):
        module.bias = bias
    return Converted(module, scope.node.inputs[:1])


CONVERTERS: Converters = for_versions("Gemm", (7, 9, 11, 13), _gemm)
