"""Clip with bounds from anywhere, Gelu, PRelu, Dropout and Identity as inference does them."""

from __future__ import annotations

import torch
from torch import nn

from onnxray.importer.scope import Converted, Converters, Scope, for_versions


class Clip(nn.Module):
    """min(max(x, low), high); a bound that is left out does not bind."""

    def forward(
        self, x: torch.Tensor, low: torch.Tensor | None = None, high: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Clip with bounds that the graph computes."""
        return x if low is None and high is None else torch.clamp(x, low, high)


class ConstantClip(nn.Module):
    """min(max(x, low), high) with fixed bounds."""

    def __init__(self, low: float | None, high: float | None) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Clip."""
        return x if self.low is None and self.high is None else torch.clamp(x, self.low, self.high)


class Passed(nn.Module):
    """Dropout at inference: the input itself, and a mask that keeps everything."""

    def __init__(self, with_mask: bool) -> None:
        super().__init__()
        self.with_mask = with_mask

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Pass the input through."""
        return (x, torch.ones_like(x, dtype=torch.bool)) if self.with_mask else x


class PRelu(nn.Module):
    """x where x >= 0, slope * x elsewhere; the slope is broadcast to x from the last axis on, as numpy does."""

    def forward(self, x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
        """Apply the slope."""
        return torch.where(x < 0, x * slope, x)


def _prelu(scope: Scope) -> Converted:
    return Converted(PRelu(), scope.node.inputs)


def _clip_attributes(scope: Scope) -> Converted:
    return Converted(_fixed_clip(scope.attributes.get("min"), scope.attributes.get("max")), scope.node.inputs[:1])


def _clip_inputs(scope: Scope) -> Converted:
    low, high = scope.constant(1), scope.constant(2)
    if (scope.input(1) and low is None) or (scope.input(2) and high is None):
        return Converted(Clip(), scope.node.inputs)
    module = _fixed_clip(None if low is None else low.item(), None if high is None else high.item())
    return Converted(module, scope.node.inputs[:1])


def _fixed_clip(low: float | None, high: float | None) -> nn.Module:
    """The module that hook-based tools know where there is one."""
    if low == 0 and high is None:
        return nn.ReLU()
    return nn.ReLU6() if low == 0 and high == 6 else ConstantClip(low, high)


def _dropout(scope: Scope) -> Converted:
    if scope.version < 7 and not scope.attributes.get("is_test", 0):
        raise scope.refuse("the node is in training mode; export the model for inference")
    if scope.version < 12 and len(scope.used_outputs()) > 1:
        raise scope.refuse("its mask is read, which meant nothing at inference before version 12")
    training = scope.constant(2)
    if scope.input(2) and (training is None or bool(training.item())):
        raise scope.refuse("its training_mode is not surely false; export the model for inference")
    return Converted(Passed(with_mask=len(scope.node.outputs) > 1), scope.node.inputs[:1])


def _identity(scope: Scope) -> Converted:
    return Converted(nn.Identity(), scope.node.inputs)


def _gelu(scope: Scope) -> Converted:
    return Converted(nn.GELU(approximate=scope.attributes.get("approximate", "none")), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("Clip", (1, 6), _clip_attributes),
    **for_versions("Clip", (11, 12, 13), _clip_inputs),
    **for_versions("Dropout", (1, 6, 7, 10, 12, 13, 22), _dropout),
    **for_versions("Identity", (1, 13, 14, 16, 19, 21, 23, 24, 25), _identity),
    **for_versions("Gelu", (20,), _gelu),
    **for_versions("PRelu", (7, 9, 16), _prelu),
}
