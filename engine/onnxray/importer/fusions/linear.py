"""MatMul by a constant matrix, then Add of a constant vector: one linear layer, its weights as they lie in the file."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from onnxray.graph.facts import Node
from onnxray.importer.fusions.pattern import Cut, Fusion, is_plain, replacing


class Linear(nn.Module):
    """x W + b along the last axis, in one product."""

    def forward(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Multiply and add."""
        return functional.linear(x, weight.t(), bias)


def linear(node: Node, cut: Cut) -> Fusion | None:
    """MatMul(x, W) + b with W (inputs, outputs) and b (outputs,)."""
    if not is_plain(node, "Add"):
        return None
    found = cut.operand(node, "MatMul")
    if found is None or not cut.is_real(found[0].inputs[0]):
        return None
    product, bias = found
    matrix, vector = (cut.graph.initializers.get(name) for name in (product.inputs[1], bias))
    if matrix is None or vector is None or len(matrix.dims) != 2 or list(vector.dims) != [matrix.dims[1]]:
        return None
    return replacing((product, node), (*product.inputs, bias), Linear)
