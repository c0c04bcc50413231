"""Gemm, MatMul and Einsum, all versions: Gemm-7 broadcasts C by itself, 11 made C optional, the others added types.

Whole numbers are multiplied modulo their own range, as the standard's reference does; torch lacks products of unsigned
16, 32 and 64 bits, which are therefore taken in int64 (modulo 2^64) and cut to their own width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions

_UNSIGNED = {torch.uint16, torch.uint32, torch.uint64}


def modular(compute: Callable[..., torch.Tensor], *tensors: torch.Tensor) -> torch.Tensor:
    """A sum of products, in int64 where torch has no arithmetic for the type: right modulo the type's own range."""
    dtype = tensors[0].dtype
    if dtype not in _UNSIGNED:
        return compute(*tensors)
    wide = [t.view(torch.int64) if dtype == torch.uint64 else t.to(torch.int64) for t in tensors]
    result = compute(*wide).contiguous()
    return result.view(torch.uint64) if dtype == torch.uint64 else result.to(dtype)


class Gemm(nn.Module):
    """alpha * A' B' + beta * C, where a prime means transposed on demand."""

    def __init__(self, alpha: float, beta: float, transpose_a: bool, transpose_b: bool) -> None:
        super().__init__()
        self.alpha, self.beta, self.transpose_a, self.transpose_b = alpha, beta, transpose_a, transpose_b

    def forward(self, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        """Multiply and add, nothing in place."""
        return modular(self._compute, a, b) if c is None else modular(self._compute, a, b, c)

    def _compute(self, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        product = (a.t() if self.transpose_a else a) @ (b.t() if self.transpose_b else b)
        alpha, beta = (self.alpha, self.beta) if a.is_floating_point() else (int(self.alpha), int(self.beta))
        if alpha != 1:
            product = product * alpha
        if c is None or beta == 0:
            return product
        return product + (c if beta == 1 else c * beta)


def _gemm(scope: Scope) -> Converted:
    get = scope.attributes.get
    alpha, beta = float(get("alpha", 1.0)), float(get("beta", 1.0))
    value = scope.graph.values.get(scope.input(0))
    if value is not None and value.dtype and not value.is_float and not (alpha.is_integer() and beta.is_integer()):
        raise scope.refuse(f"whole numbers times alpha {alpha:g} or beta {beta:g}: how to round is nowhere defined")
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


class MatMul(nn.Module):
    """A B, as numpy's matmul: leading axes are broadcast, vectors are rows on the left and columns on the right."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Multiply."""
        return a @ b if a.is_floating_point() else modular(torch.matmul, a, b)


def _matmul(scope: Scope) -> Converted:
    return Converted(MatMul(), scope.node.inputs)


class Einsum(nn.Module):
    """The Einstein sum of any number of inputs; bfloat16 is summed in float32."""

    def __init__(self, equation: str) -> None:
        super().__init__()
        self.equation = equation

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Sum."""
        if inputs[0].dtype == torch.bfloat16:
            return torch.einsum(self.equation, *(x.float() for x in inputs)).to(torch.bfloat16)
        return modular(lambda *parts: torch.einsum(self.equation, *parts), *inputs)


def _einsum(scope: Scope) -> Converted:
    return Converted(Einsum(str(scope.attributes["equation"]).replace(" ", "")), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("Gemm", (1, 6, 7, 9, 11, 13), _gemm),
    **for_versions("MatMul", (9, 13), _matmul),
    **for_versions("Einsum", (12, 28), _einsum),
}
