"""A convolution whose kernels lie side by side, as vision transformers begin: a product of patches and a matrix."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from onnxray.graph.facts import Node
from onnxray.importer.fusions.pattern import Cut, Fusion, is_plain, replacing
from onnxray.importer.ops.neural.padding import read_padding, read_window

_LEAST = 64
"""The least number of places of a kernel: torch's own convolution is as fast for smaller ones, and slower from here."""


class Patches(nn.Module):
    """y[:, :, i, j] = W x[:, :, i h : (i + 1) h, j w : (j + 1) w] + b for kernels of h x w; a rest is left out."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.height, self.width = weight.shape[2:]
        matrix = weight.detach().permute(0, 2, 3, 1).flatten(1)  # a view of a kernel that is kept channels_last
        self.weight = nn.Parameter(matrix, requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Cut into patches, multiply; the result is (N, outputs, rows, columns)."""
        rows, columns = x.shape[2] // self.height, x.shape[3] // self.width
        x = x[:, :, : rows * self.height, : columns * self.width]
        parts = x.reshape(*x.shape[:2], rows, self.height, columns, self.width).permute(0, 2, 4, 3, 5, 1)
        return functional.linear(parts.flatten(3), self.weight, self.bias).permute(0, 3, 1, 2)


def patches(node: Node, cut: Cut) -> Fusion | None:
    """Conv of one group and two spatial axes, its stride the kernel's size, without padding and dilation."""
    if not is_plain(node, "Conv") or not cut.is_real(node.inputs[0]):
        return None
    tensor, scope = cut.graph.initializers.get(node.inputs[1]), cut.scope_of(node)
    if tensor is None or len(tensor.dims) != 4 or (scope.input(2) and scope.input(2) not in cut.graph.initializers):
        return None
    kernel = tuple(tensor.dims[2:])
    if math.prod(kernel) < _LEAST or read_window(scope, "strides", 2) != kernel:
        return None
    if read_padding(scope, 2).symmetric != (0, 0) or read_window(scope, "dilations", 2) != (1, 1):
        return None
    if int(scope.attributes.get("group", 1)) != 1:
        return None

    def make() -> nn.Module | None:
        weight = scope.constant(1)
        return None if weight is None else Patches(weight, scope.constant(2))

    return replacing((node,), node.inputs[:1], make)
