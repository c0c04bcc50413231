"""Inference BatchNormalization folded into the convolution before it.

factor = scale / sqrt(variance + epsilon)
weight' = weight * factor,   bias' = (bias - mean) * factor + shift      a number an output channel, in float64
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from onnxray.graph.facts import Node
from onnxray.importer.fusions.pattern import Cut, Fusion, is_plain, replacing
from onnxray.importer.nodes.scope import Converted, Scope
from onnxray.importer.ops import CONVERTERS
from onnxray.importer.ops.neural.convolution import PaddedConv
from onnxray.importer.ops.neural.normalization import BatchNorm, ComputedBatchNorm


class WeightedConv(nn.Module):
    """A convolution that takes its weights as arguments, with weights of its own."""

    def __init__(self, convolution: PaddedConv, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.convolution = convolution
        self.weight, self.bias = _frozen(weight), _frozen(bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve."""
        result: torch.Tensor = self.convolution(x, self.weight, self.bias)
        return result


def fold(node: Node, cut: Cut) -> Fusion | None:
    """Conv or ConvTranspose, then BatchNormalization by stored statistics; weights in float32 or float64."""
    if not is_plain(node, "BatchNormalization"):
        return None
    convolution = cut.producer(node.inputs[0], "Conv", "ConvTranspose")
    if convolution is None or not cut.is_real(node.inputs[0]):
        return None
    return replacing(
        (convolution, node), convolution.inputs[:1], lambda: _folded(cut.scope_of(convolution), cut.scope_of(node))
    )


def _folded(convolution: Scope, normalisation: Scope) -> nn.Module | None:
    """The convolution's module with folded weights; the unfolded ones are read aside and not kept."""
    convolution, normalisation = convolution.aside(), normalisation.aside()
    epsilon = _epsilon(_convert(normalisation))
    stored = [normalisation.constant(position) for position in range(1, 5)]
    known = [part.detach().double() for part in stored if part is not None]
    weight, bias = convolution.constant(1), convolution.constant(2)
    if epsilon is None or len(known) < 4 or weight is None or (convolution.input(2) and bias is None):
        return None
    scale, shift, mean, variance = known
    factor = scale / (variance + epsilon).sqrt()
    folded = (weight.double() * _along(factor, weight, convolution)).detach()
    moved = ((0.0 if bias is None else bias.detach().double()) - mean) * factor + shift
    new_weight, new_bias = torch.empty_like(weight).copy_(folded), moved.to(weight.dtype)  # in the weight's own layout
    if not (new_weight.isfinite().all() and new_bias.isfinite().all()):
        return None
    module = _convert(convolution).module
    if isinstance(module, PaddedConv):
        return WeightedConv(module, new_weight, new_bias)
    if not isinstance(module, _ConvNd):
        return None
    module = copy.copy(module)
    module._parameters = {"weight": _frozen(new_weight), "bias": _frozen(new_bias)}
    return module


def _convert(scope: Scope) -> Converted:
    node = scope.node
    return CONVERTERS[node.domain, node.operator, scope.version](scope)


def _epsilon(converted: Converted) -> float | None:
    """The epsilon of a normalisation by constant statistics, a number a channel; None for any other."""
    module = converted.module
    if isinstance(module, BatchNorm):
        return module.eps
    return module.epsilon if isinstance(module, ComputedBatchNorm) and module.spatial else None


def _along(factor: torch.Tensor, weight: torch.Tensor, convolution: Scope) -> torch.Tensor:
    """The factor of every kernel: transposed, a kernel's second axis counts the output channels of one group."""
    ones = (1,) * (weight.ndim - 2)
    if convolution.node.operator == "Conv":
        return factor.reshape(-1, 1, *ones)
    groups = int(convolution.attributes.get("group", 1))
    return factor.reshape(groups, -1).repeat_interleave(weight.shape[0] // groups, 0).reshape(*weight.shape[:2], *ones)


def _frozen(tensor: torch.Tensor) -> nn.Parameter:
    return nn.Parameter(tensor, requires_grad=False)
