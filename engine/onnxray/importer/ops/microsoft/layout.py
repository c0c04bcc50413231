"""``com.microsoft``'s operators on quantised tensors that move, pick or lay out: channels last, and its own 16 bits."""

from __future__ import annotations

import torch
from torch import nn

from onnxray.importer.nodes.integers_as_floats import MICROSOFT, Width, is_carried
from onnxray.importer.nodes.scope import Converted, Converter, Converters, Scope
from onnxray.importer.ops.neural import pooling
from onnxray.importer.ops.quantised import integer_products, quantization
from onnxray.importer.ops.quantised.integer_products import shifted
from onnxray.importer.ops.quantised.quantization import declared_width, emitted, real, saturated


def of_domain(operator: str, converter: Converter) -> Converters:
    """A converter of an operator of ``com.microsoft``; the domain knows version 1 alone."""
    return {(MICROSOFT, operator, 1): converter}


def refused(reason: str) -> Converter:
    """A converter that refuses with its reason."""

    def refuse(scope: Scope) -> Converted:
        raise scope.refuse(reason)

    return refuse


class ChannelsLast(nn.Module):
    """A module of the usual layout on tensors whose channels come last."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        """Channels to the front, compute, and back."""
        return self.module(x.movedim(-1, 1), *others).movedim(1, -1)  # type: ignore[no-any-return]


def _conv(scope: Scope) -> Converted:
    converted = integer_products.CONVERTERS["", "QLinearConv", 10](scope)
    last = bool(scope.attributes.get("channels_last", 0))
    return Converted(ChannelsLast(converted.module), converted.inputs) if last else converted


def _max_pool(scope: Scope) -> Converted:
    if len(scope.node.outputs) > 1:
        raise scope.refuse("it has more than one output")
    converted = pooling.CONVERTERS["", "MaxPool", 12](scope)
    return Converted(ChannelsLast(converted.module), converted.inputs)


class QLinearWhere(nn.Module):
    """Either of two tensors, requantised: saturate(round(picked / sz) + zz)."""

    def __init__(self, width: Width, carried: bool) -> None:
        super().__init__()
        self.width, self.carried = width, carried

    def forward(
        self,
        condition: torch.Tensor,
        x: torch.Tensor,
        x_scale: torch.Tensor,
        x_zero: torch.Tensor,
        y: torch.Tensor,
        y_scale: torch.Tensor,
        y_zero: torch.Tensor,
        z_scale: torch.Tensor,
        z_zero: torch.Tensor,
    ) -> torch.Tensor:
        """Pick and requantise."""
        first, second = shifted(x, x_zero) * x_scale.reshape(()), shifted(y, y_zero) * y_scale.reshape(())
        picked = torch.where(condition, first, second) / z_scale.reshape(())
        return emitted(saturated(picked, real(z_zero).reshape(()), self.width), self.carried, self.width.dtype)


def _where(scope: Scope) -> Converted:
    output = scope.node.outputs[0]
    return Converted(QLinearWhere(declared_width(scope, 8, output), is_carried(scope.graph, output)), scope.node.inputs)


CONVERTERS: Converters = {
    **of_domain("QuantizeLinear", quantization.CONVERTERS["", "QuantizeLinear", 13]),
    **of_domain("DequantizeLinear", quantization.CONVERTERS["", "DequantizeLinear", 13]),
    **of_domain("QLinearConv", _conv),
    **of_domain("QLinearWhere", _where),
    **of_domain("NhwcMaxPool", _max_pool),
}
