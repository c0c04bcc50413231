"""Activations: torch's own modules wherever they are exact, so that hook-based tools know them.

Version 1 differs in a legacy attribute alone (and Selu in its constants), the later ones add types. LeakyRelu, Sigmoid
and the versions that are not listed here are onnx2torch's (``importer/onnx2torch_operators.py``). ThresholdedRelu is
standard since version 10 and ONNX Runtime's before, looked up there by the file's opset.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from onnxray.importer.nodes.number_types import element_type, narrow, widen
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions


class PRelu(nn.Module):
    """x where x >= 0, slope * x elsewhere; the slope is broadcast to x from the last axis on, as numpy does."""

    def forward(self, x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
        """Apply the slope; an unsigned x is never negative."""
        return torch.where(x < 0, x * slope, x) if x.dtype.is_signed else x


class ChannelPRelu(nn.Module):
    """x where x >= 0, slope * x elsewhere; one slope in all or one a channel (axis 1)."""

    def forward(self, x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
        """Apply the slope."""
        return functional.prelu(x, slope.reshape(-1)) if x.dtype.is_floating_point else _channel_prelu(x, slope)


def _channel_prelu(x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    flat = slope.reshape(-1, *(1,) * (x.ndim - 2)) if slope.numel() > 1 else slope.reshape(())
    return torch.where(x < 0, x * flat, x) if x.dtype.is_signed else x


class ScaledElu(nn.Module):
    """gamma * x for x > 0, gamma * alpha * (exp(x) - 1) elsewhere."""

    def __init__(self, alpha: float, gamma: float) -> None:
        super().__init__()
        self.alpha, self.gamma = alpha, gamma

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute."""
        return functional.elu(x, self.alpha) * self.gamma


class HardSigmoid(nn.Module):
    """max(0, min(1, alpha * x + beta))."""

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute."""
        return torch.clamp(x * self.alpha + self.beta, 0, 1)


class Swish(nn.Module):
    """x * sigmoid(alpha * x)."""

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute."""
        return x * torch.sigmoid(x * self.alpha)


class Shrink(nn.Module):
    """x + bias for x < -lambd, x - bias for x > lambd, 0 in between; integers are truncated."""

    def __init__(self, bias: float, lambd: float) -> None:
        super().__init__()
        self.bias, self.lambd = bias, lambd

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute; integers as real numbers."""
        if x.dtype.is_floating_point:
            return self._shrink(x)
        return narrow(self._shrink(widen(x).to(torch.float64)).to(torch.int64), x.dtype)

    def _shrink(self, x: torch.Tensor) -> torch.Tensor:
        outside = torch.where(x < -self.lambd, x + self.bias, x - self.bias)
        return torch.where((x < -self.lambd) | (x > self.lambd), outside, 0)


def _prelu(scope: Scope) -> Converted:
    slope, rank = scope.constant(1), scope.rank()
    if scope.version < 7:
        return Converted(ChannelPRelu(), scope.node.inputs)
    if slope is not None and rank is not None and rank > 1:
        shape = (1,) * (rank - slope.ndim) + tuple(slope.shape)
        if len(shape) == rank and shape[1] == slope.numel():
            return Converted(ChannelPRelu(), scope.node.inputs)
    return Converted(PRelu(), scope.node.inputs)


def _relu(scope: Scope) -> Converted:
    return Converted(nn.ReLU(), scope.node.inputs)


def _thresholded_relu(scope: Scope) -> Converted:
    return Converted(nn.Threshold(float(scope.attributes.get("alpha", 1.0)), 0.0), scope.node.inputs)


def _elu(scope: Scope) -> Converted:
    return Converted(nn.ELU(float(scope.attributes.get("alpha", 1.0))), scope.node.inputs)


def _selu(scope: Scope) -> Converted:
    first = scope.version == 1
    alpha = float(scope.attributes.get("alpha", 1.6732 if first else 1.67326319217681884765625))
    gamma = float(scope.attributes.get("gamma", 1.0507 if first else 1.05070102214813232421875))
    plain = abs(alpha - 1.6732632423543772) < 1e-7 and abs(gamma - 1.0507009873554805) < 1e-7
    return Converted(nn.SELU() if plain else ScaledElu(alpha, gamma), scope.node.inputs)


def _celu(scope: Scope) -> Converted:
    alpha = float(scope.attributes.get("alpha", 1.0))
    if alpha == 0:
        raise scope.refuse("its alpha is 0, and its formula divides by it")
    return Converted(nn.CELU(alpha), scope.node.inputs)


def _hard_sigmoid(scope: Scope) -> Converted:
    alpha, beta = float(scope.attributes.get("alpha", 0.2)), float(scope.attributes.get("beta", 0.5))
    plain = abs(alpha - 1 / 6) < 1e-8 and beta == 0.5
    return Converted(nn.Hardsigmoid() if plain else HardSigmoid(alpha, beta), scope.node.inputs)


def _swish(scope: Scope) -> Converted:
    alpha = float(scope.attributes.get("alpha", 1.0))
    return Converted(nn.SiLU() if alpha == 1 else Swish(alpha), scope.node.inputs)


def _shrink(scope: Scope) -> Converted:
    if element_type(scope, 0) == "uint64":
        raise scope.refuse("it shrinks uint64, which real numbers do not hold exactly")
    get = scope.attributes.get
    return Converted(Shrink(float(get("bias", 0.0)), float(get("lambd", 0.5))), scope.node.inputs)


def _tanh(scope: Scope) -> Converted:
    return Converted(nn.Tanh(), scope.node.inputs)


def _hard_swish(scope: Scope) -> Converted:
    return Converted(nn.Hardswish(), scope.node.inputs)


def _softplus(scope: Scope) -> Converted:
    return Converted(nn.Softplus(threshold=40.0), scope.node.inputs)  # from there on exact in float64 too


def _softsign(scope: Scope) -> Converted:
    return Converted(nn.Softsign(), scope.node.inputs)


def _mish(scope: Scope) -> Converted:
    return Converted(nn.Mish(), scope.node.inputs)


def _gelu(scope: Scope) -> Converted:
    return Converted(nn.GELU(approximate=scope.attributes.get("approximate", "none")), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("Relu", (1,), _relu),
    **for_versions("PRelu", (1, 6, 7, 9, 16), _prelu),
    **for_versions("ThresholdedRelu", (*range(1, 10), 10, 22), _thresholded_relu),
    **for_versions("Elu", (1, 22), _elu),
    **for_versions("Selu", (1, 6, 22), _selu),
    **for_versions("Celu", (12, 28), _celu),
    **for_versions("Gelu", (20,), _gelu),
    **for_versions("HardSigmoid", (22,), _hard_sigmoid),
    **for_versions("Tanh", (1, 6, 13), _tanh),
    **for_versions("HardSwish", (22,), _hard_swish),
    **for_versions("Swish", (24,), _swish),
    **for_versions("Mish", (18, 22), _mish),
    **for_versions("Softplus", (22,), _softplus),
    **for_versions("Softsign", (22,), _softsign),
    **for_versions("Shrink", (9,), _shrink),
}
