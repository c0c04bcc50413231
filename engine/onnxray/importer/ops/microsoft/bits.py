"""MatMulNBits of ``com.microsoft``: products with weights of 4 or 8 bits in blocks, computed in the inputs' type."""

from __future__ import annotations

import torch
from torch import nn

from onnxray.importer.nodes.scope import Converted, Converters, Scope
from onnxray.importer.ops.microsoft.layout import of_domain


class MatMulNBits(nn.Module):
    """A W' + bias; W[n, k] = (bits - zero point) * scale, both of the block of ``block`` numbers that k lies in."""

    def __init__(self, inner: int, outer: int, bits: int, block: int) -> None:
        super().__init__()
        self.inner, self.outer, self.bits, self.block = inner, outer, bits, block
        self.blocks = -(-inner // block)

    def forward(
        self,
        a: torch.Tensor,
        b: torch.Tensor,
        scales: torch.Tensor,
        zeros: torch.Tensor | None = None,
        order: None = None,  # noqa: ARG002  # there is never any, and its place counts
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Unpack and multiply; the gradient is that of the product."""
        y = a @ self.weight(b, scales, zeros).to(a.dtype).t()
        return y if bias is None else y + bias

    def weight(self, b: torch.Tensor, scales: torch.Tensor, zeros: torch.Tensor | None) -> torch.Tensor:
        """The weights as real numbers, (outer, inner)."""
        numbers = self._unpacked(b.reshape(self.outer * self.blocks, -1)).reshape(self.outer, self.blocks, self.block)
        if zeros is None:
            shift = torch.full((), 2.0 ** (self.bits - 1))
        elif zeros.dtype == torch.uint8:
            shift = self._unpacked(zeros.reshape(self.outer, -1))[:, : self.blocks, None]
        else:
            shift = zeros.reshape(self.outer, self.blocks, 1).float()
        scaled = (numbers - shift) * scales.reshape(self.outer, self.blocks, 1).float()
        return scaled.flatten(1)[:, : self.inner]

    def _unpacked(self, packed: torch.Tensor) -> torch.Tensor:
        """4 bits: two numbers a byte, the lower half first."""
        if self.bits == 8:
            return packed.float()
        return torch.stack([packed & 15, packed >> 4], -1).flatten(-2).float()


class HeldMatMul(nn.Module):
    """The same with constant weights, unpacked once."""

    weight: torch.Tensor
    bias: torch.Tensor | None

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, a: torch.Tensor) -> torch.Tensor:
        """Multiply."""
        y = a @ self.weight.to(a.dtype).t()
        return y if self.bias is None else y + self.bias


def _matmul_bits(scope: Scope) -> Converted:
    get = scope.attributes.get
    bits, block = int(get("bits", 4)), int(get("block_size", 0))
    if bits not in {4, 8} or block < 16 or scope.input(4) or int(get("accuracy_level", 0)) == 4:
        raise scope.refuse(
            "4 or 8 bits in blocks without an order of their own, and inputs in floating point, are known"
        )
    module = MatMulNBits(int(get("K", 0)), int(get("N", 0)), bits, block)
    constants = [scope.constant(position) for position in range(1, 6)]
    if all(constant is not None or not scope.input(k) for k, constant in enumerate(constants, 1)):
        b, scales, zeros, _, bias = (None if constant is None else constant.detach() for constant in constants)
        if b is not None and scales is not None:
            return Converted(HeldMatMul(module.weight(b, scales, zeros), bias), scope.node.inputs[:1])
    return Converted(module, scope.node.inputs)


CONVERTERS: Converters = of_domain("MatMulNBits", _matmul_bits)
