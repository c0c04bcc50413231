"""Clip with bounds from anywhere, Dropout and Identity as inference does them."""

from __future__ import annotations

import torch
from torch import nn

from onnxray.errors import UnsupportedOperator
from onnxray.importer.nodes.number_types import ordered, unordered
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions


class Clip(nn.Module):
    """min(max(x, low), high); a bound that is left out does not bind."""

    def forward(
        self, x: torch.Tensor, low: torch.Tensor | None = None, high: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Clip with bounds that the graph computes."""
        if low is None and high is None:
            return x
        low, high = (bound if bound is None else ordered(bound) for bound in (low, high))
        return unordered(torch.clamp(ordered(x), low, high), x.dtype)


class ConstantClip(nn.Module):
    """min(max(x, low), high) with fixed bounds."""

    def __init__(self, low: float | None, high: float | None) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Clip."""
        return x if self.low is None and self.high is None else torch.clamp(x, self.low, self.high)


class Passed(nn.Module):
    """Dropout at inference: the input itself, and a mask, which is true from version 12 on, of booleans from 10 on.

    (Before 12 it is zero, as ONNX Runtime has it.) A node whose training mode is computed may still drop nothing: at a
    ratio of 0, or with the mode switched off.
    """

    def __init__(self, with_mask: bool, version: int, refusal: str = "") -> None:
        super().__init__()
        self.with_mask, self.version, self.refusal = with_mask, version, refusal

    def forward(
        self, x: torch.Tensor, ratio: torch.Tensor | None = None, training: torch.Tensor | None = None
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Pass the input through, or refuse to train."""
        if training is not None and bool(training) and (ratio is None or float(ratio) != 0):
            raise UnsupportedOperator(self.refusal)
        if not self.with_mask:
            return x
        return x, torch.full_like(x, self.version >= 12, dtype=torch.bool if self.version >= 10 else None)


def _clip_attributes(scope: Scope) -> Converted:
    return Converted(_fixed_clip(scope.attributes.get("min"), scope.attributes.get("max")), scope.node.inputs[:1])


def _clip_inputs(scope: Scope) -> Converted:
    bounds = [scope.constant(1), scope.constant(2)]
    for position, bound in enumerate(bounds, 1):
        if bound is not None and bound.numel() != 1:
            raise scope.refuse(f"its bound {scope.input(position)!r} holds {bound.numel()} numbers, one was expected")
        if scope.input(position) and (bound is None or bound.dtype in {torch.uint16, torch.uint32, torch.uint64}):
            return Converted(Clip(), scope.node.inputs)
    low, high = (None if bound is None else bound.item() for bound in bounds)
    return Converted(_fixed_clip(low, high), scope.node.inputs[:1])


def _fixed_clip(low: float | None, high: float | None) -> nn.Module:
    """The module that hook-based tools know where there is one."""
    if low == 0 and high is None:
        return nn.ReLU()
    return nn.ReLU6() if low == 0 and high == 6 else ConstantClip(low, high)


def _dropout(scope: Scope) -> Converted:
    message = "the node is in training mode; export the model for inference"
    if scope.version < 7 and not scope.attributes.get("is_test", 0):
        raise scope.refuse(message)
    with_mask = len(scope.node.outputs) > 1
    ratio, training = scope.constant(1), scope.constant(2)
    if not scope.input(2) or (training is not None and not bool(training)):
        return Converted(Passed(with_mask, scope.version), scope.node.inputs[:1])
    fixed = not scope.input(1) or (ratio is not None and float(ratio) != 0)
    if training is not None and fixed:
        raise scope.refuse(message)
    return Converted(Passed(with_mask, scope.version, str(scope.refuse(message))), scope.node.inputs)


def _identity(scope: Scope) -> Converted:
    return Converted(nn.Identity(), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("Clip", (1,), _clip_attributes),
    **for_versions("Clip", (11, 12, 13), _clip_inputs),
    **for_versions("Dropout", (1, 6, 7, 10, 12, 13, 22), _dropout),
    **for_versions("Identity", (1, 13, 14, 16, 19, 21, 23, 24, 25), _identity),
}
