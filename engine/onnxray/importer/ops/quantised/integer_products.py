"""QLinearConv, QLinearMatMul, ConvInteger and MatMulInteger: products of quantised numbers, exact.

The sums are taken in float32 where no partial sum can exceed 2^24 (known at once for constant weights), else in
float64: both hold every whole number on the way, so the order of summation does not matter. Gradients are
straight-through as in ``quantization``: zero where the result is saturated.
"""

from __future__ import annotations

import torch
from torch import nn

from onnxray.importer.nodes.integers_as_floats import Width, is_carried
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.ops.neural.convolution import CONVOLUTIONS, convolved
from onnxray.importer.ops.neural.padding import Padding, read_padding, read_window
from onnxray.importer.ops.quantised.quantization import declared_width, emitted, real, saturated

_EXACT = 2.0**24


class IntegerConv(nn.Module):
    """The convolution of (x - zero point) and (w - zero point): whole numbers; padding adds nothing."""

    def __init__(
        self, stride: tuple[int, ...], padding: Padding, dilation: tuple[int, ...], groups: int, carried: bool
    ) -> None:
        super().__init__()
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.carried = carried

    def forward(
        self,
        x: torch.Tensor,
        w: torch.Tensor,
        x_zero: torch.Tensor | None = None,
        w_zero: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Convolve exactly; int32, carried in float64."""
        weight = shifted(w, w_zero, channels_first=True).double()
        return emitted(self.summed(shifted(x, x_zero).double(), weight, None), self.carried, torch.int32)

    def summed(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """The exact sums, in the type of the weight."""
        return convolved(
            x, weight, bias, stride=self.stride, padding=self.padding, dilation=self.dilation, groups=self.groups
        )


def shifted(x: torch.Tensor, zero: torch.Tensor | None, channels_first: bool = False) -> torch.Tensor:
    """x - zero point as floats; a zero point of several numbers belongs to the first axis, or is broadcast as it is."""
    number = real(x)
    if zero is None:
        return number
    if zero.numel() == 1:
        return number - real(zero).reshape(())
    return number - (real(zero).reshape(-1, *(1,) * (x.ndim - 1)) if channels_first else real(zero))


class QLinearConv(nn.Module):
    """saturate(round((x - zx) * (w - zw) * sx sw / sy) + zy): parameters that the graph computes."""

    def __init__(self, conv: IntegerConv, width: Width) -> None:
        super().__init__()
        self.conv, self.width = conv, width

    def forward(
        self,
        x: torch.Tensor,
        x_scale: torch.Tensor,
        x_zero: torch.Tensor,
        w: torch.Tensor,
        w_scale: torch.Tensor,
        w_zero: torch.Tensor,
        y_scale: torch.Tensor,
        y_zero: torch.Tensor,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Convolve exactly, scale, saturate."""
        weight = shifted(w, w_zero, channels_first=True).double()
        sums = self.conv.summed(shifted(x, x_zero).double(), weight, None if bias is None else bias.double())
        factor = channel_factor(x_scale, w_scale, y_scale, w.ndim)
        y = saturated(sums.to(factor.dtype) * factor, real(y_zero).reshape(()), self.width)
        return emitted(y, self.conv.carried, self.width.dtype)


def channel_factor(x_scale: torch.Tensor, w_scale: torch.Tensor, y_scale: torch.Tensor, rank: int) -> torch.Tensor:
    """sx sw / sy, along the channels where the weights have a scale for each."""
    factor = x_scale.reshape(()) * w_scale / y_scale.reshape(())
    return factor.reshape(()) if factor.numel() == 1 else factor.reshape(-1, *(1,) * (rank - 2))


class FixedQLinearConv(nn.Module):
    """The same with constant parameters, prepared once."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    factor: torch.Tensor

    def __init__(self, conv: IntegerConv, width: Width, parameters: list[torch.Tensor]) -> None:
        super().__init__()
        self.conv, self.width = conv, width
        x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, *bias = (p.detach() for p in parameters)
        weight = shifted(w, w_zero, channels_first=True).double()
        reach = max(abs(limit - float(x_zero.reshape(()).item())) for limit in (-128, 255))
        bound = weight.abs().sum(tuple(range(1, w.ndim))) * reach + (bias[0].double().abs() if bias else 0)
        dtype = torch.float32 if float(bound.max()) < _EXACT else torch.float64
        self.x_zero, self.y_zero = float(x_zero.reshape(()).item()), float(y_zero.reshape(()).item())
        self.register_buffer("weight", weight.to(dtype), persistent=False)
        self.register_buffer("bias", bias[0].to(dtype) if bias else None, persistent=False)
        self.register_buffer("factor", channel_factor(x_scale, w_scale, y_scale, w.ndim), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve exactly, scale, saturate."""
        x = x.to(self.weight.dtype)
        sums = self.conv.summed(x - self.x_zero if self.x_zero else x, self.weight, self.bias)
        y = saturated(sums.to(self.factor.dtype) * self.factor, self.y_zero, self.width)
        return emitted(y, self.conv.carried, self.width.dtype)


def _integer_conv(scope: Scope, position: int) -> IntegerConv:
    weight, given = scope.constant(position), len(scope.attributes.get("kernel_shape") or ())
    rank = weight.ndim - 2 if weight is not None else (scope.rank(0) or scope.rank(position) or given + 2) - 2
    if rank not in CONVOLUTIONS:
        raise scope.refuse(f"its convolution has {rank} spatial axes, 1 to 3 are known")
    return IntegerConv(
        read_window(scope, "strides", rank), read_padding(scope, rank), read_window(scope, "dilations", rank),
        int(scope.attributes.get("group", 1)), is_carried(scope.graph, scope.node.outputs[0]),
    )  # fmt: skip


def _conv_integer(scope: Scope) -> Converted:
    return Converted(_integer_conv(scope, 1), scope.node.inputs)


def _qlinear_conv(scope: Scope) -> Converted:
    conv, width = _integer_conv(scope, 3), declared_width(scope, 7, scope.node.outputs[0])
    constants = [scope.constant(position) for position, name in enumerate(scope.node.inputs) if name and position]
    present = [constant for constant in constants if constant is not None]
    if len(present) == len(constants) and len(present) in {7, 8}:
        return Converted(FixedQLinearConv(conv, width, present), scope.node.inputs[:1])
    return Converted(QLinearConv(conv, width), scope.node.inputs)


class MatMulInteger(nn.Module):
    """(a - zero point) (b - zero point): whole numbers, int32; carried in float64."""

    def __init__(self, carried: bool) -> None:
        super().__init__()
        self.carried = carried

    def forward(
        self,
        a: torch.Tensor,
        b: torch.Tensor,
        a_zero: torch.Tensor | None = None,
        b_zero: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Multiply exactly."""
        left = shifted(a, None if a_zero is None else by_row(a, a_zero))
        return emitted(left.double() @ shifted(b, b_zero).double(), self.carried, torch.int32)


def by_row(a: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    """A scale or zero point of the left factor: one number a row, where it is a vector."""
    return part.unsqueeze(-1) if part.ndim == 1 and part.numel() > 1 and a.ndim > 1 else part


class QLinearMatMul(nn.Module):
    """saturate(round((a - za) (b - zb) sa sb / sy) + zy)."""

    def __init__(self, carried: bool, width: Width) -> None:
        super().__init__()
        self.carried, self.width = carried, width

    def forward(
        self,
        a: torch.Tensor,
        a_scale: torch.Tensor,
        a_zero: torch.Tensor,
        b: torch.Tensor,
        b_scale: torch.Tensor,
        b_zero: torch.Tensor,
        y_scale: torch.Tensor,
        y_zero: torch.Tensor,
    ) -> torch.Tensor:
        """Multiply exactly, scale, saturate; scales are floats of at least 32 bits."""
        product = shifted(a, by_row(a, a_zero)).double() @ shifted(b, b_zero).double()
        factor = by_row(a, _scalar(a_scale)) * _scalar(b_scale) / by_row(a, _scalar(y_scale))
        y = saturated(product.to(factor.dtype) * factor, by_row(a, _scalar(y_zero)), self.width)
        return emitted(y, self.carried, self.width.dtype)


def _scalar(part: torch.Tensor) -> torch.Tensor:
    return real(part.reshape(()) if part.numel() == 1 else part)


def _matmul_integer(scope: Scope) -> Converted:
    return Converted(MatMulInteger(is_carried(scope.graph, scope.node.outputs[0])), scope.node.inputs)


def _qlinear_matmul(scope: Scope) -> Converted:
    width = declared_width(scope, 7, scope.node.outputs[0])
    if width.is_float:
        raise scope.refuse("8-bit floats: how their products are summed is nowhere defined")
    module = QLinearMatMul(is_carried(scope.graph, scope.node.outputs[0]), width)
    return Converted(module, scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("ConvInteger", (10,), _conv_integer),
    **for_versions("QLinearConv", (10,), _qlinear_conv),
    **for_versions("MatMulInteger", (10,), _matmul_integer),
    **for_versions("QLinearMatMul", (10, 21), _qlinear_matmul),
}
