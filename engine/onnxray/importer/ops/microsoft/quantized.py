"""What ONNX Runtime's quantiser writes besides the standard (``com.microsoft``): QLinearConcat, QLinearAdd, QGemm, ...

Each is its plain operator between dequantised inputs and a quantised output; values are within one quantisation step
of ONNX Runtime's, which for some looks them up in tables. Gradients are straight-through as in ``quantization``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from onnxray.importer.nodes.integers_as_floats import MICROSOFT, Width, is_carried
from onnxray.importer.nodes.scope import Converted, Converters, Scope
from onnxray.importer.ops.neural.pooling import GlobalPool, PaddedAveragePool, read_windows
from onnxray.importer.ops.quantised.integer_products import shifted
from onnxray.importer.ops.quantised.quantization import DynamicQuantize, declared_width, emitted, real, saturated

Compute = Callable[..., torch.Tensor]


class Requantized(nn.Module):
    """saturate(round(f((x - zx) sx, ...) / sy) + zy); the inputs are x, sx, zx, ..., sy, zy.

    ``late``: the zero point is added before rounding, which halves notice.
    """

    def __init__(self, compute: Compute, width: Width, carried: bool, late: bool = False) -> None:
        super().__init__()
        self.compute, self.width, self.carried, self.late = compute, width, carried, late

    def forward(self, *inputs: torch.Tensor | None) -> torch.Tensor:
        """Dequantise, compute, quantise."""
        *operands, scale, zero = inputs
        numbers = [_number(*operands[k : k + 3]) for k in range(0, len(operands), 3)]
        shift = 0.0 if zero is None else real(zero).reshape(())
        assert scale is not None
        y = self.compute(*numbers) / scale.reshape(())
        y = saturated(y + shift, 0.0, self.width) if self.late else saturated(y, shift, self.width)
        return emitted(y, self.carried, self.width.dtype)


class Concatenated(Requantized):
    """The same with the output's scale and zero point in front, as QLinearConcat has them."""

    def forward(self, *inputs: torch.Tensor | None) -> torch.Tensor:
        """Dequantise, compute, quantise."""
        return super().forward(*inputs[2:], *inputs[:2])


def _number(x: torch.Tensor | None, scale: torch.Tensor | None, zero: torch.Tensor | None) -> torch.Tensor:
    assert x is not None
    assert scale is not None
    return shifted(x, zero) * scale.reshape(())


def _operator(scope: Scope) -> Compute:
    """The plain operator of a node."""
    get, name = scope.attributes.get, scope.node.operator
    alpha = float(get("alpha", 0.01))
    if name == "QLinearAdd":
        return torch.add
    if name == "QLinearMul":
        return torch.mul
    if name == "QLinearLeakyRelu":
        return lambda x: functional.leaky_relu(x, alpha)
    if name == "QLinearSigmoid":
        return torch.sigmoid
    if name == "QLinearConcat":
        return lambda *parts: torch.cat(parts, dim=int(get("axis", 0)))
    last = bool(get("channels_last", 0))
    if name == "QLinearGlobalAveragePool":
        pool: Compute = GlobalPool(maximum=False)
    else:
        pool = PaddedAveragePool(read_windows(scope), bool(get("count_include_pad", 0)))
    return lambda x: pool(x.movedim(-1, 1)).movedim(1, -1) if last else pool(x)


def _requantized(scope: Scope) -> Converted:
    output, several = scope.node.outputs[0], scope.node.operator == "QLinearConcat"
    width = declared_width(scope, _ZERO_POINTS[scope.node.operator], output)
    kind, late = Concatenated if several else Requantized, scope.node.operator in _LATE
    module = kind(_operator(scope), width, is_carried(scope.graph, output), late)
    return Converted(_Spread(module, scope.node.inputs), tuple(name for name in scope.node.inputs if name))


class _Spread(nn.Module):
    """Puts None where the node leaves an input out."""

    def __init__(self, module: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.module, self.present = module, tuple(bool(name) for name in names)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Run the module."""
        given = iter(inputs)
        return self.module(*(next(given) if present else None for present in self.present))  # type: ignore[no-any-return]


_ZERO_POINTS = {
    "QLinearAdd": 7, "QLinearMul": 7, "QLinearConcat": 1, "QLinearGlobalAveragePool": 4, "QLinearAveragePool": 4,
    "QLinearLeakyRelu": 4, "QLinearSigmoid": 4,
}  # fmt: skip


_LATE = frozenset({"QLinearAdd", "QLinearMul", "QLinearAveragePool"})


class QLinearSoftmax(nn.Module):
    """saturate(round(softmax((x - zx) sx) * floor(1 / sy)) + zy): ONNX Runtime rounds the reciprocal down.

    ``flat``: along all axes from the axis on, as before opset 13.
    """

    def __init__(self, width: Width, carried: bool, axis: int, flat: bool) -> None:
        super().__init__()
        self.width, self.carried, self.axis, self.flat = width, carried, axis, flat

    def forward(
        self,
        x: torch.Tensor,
        x_scale: torch.Tensor,
        x_zero: torch.Tensor | None = None,  # noqa: ARG002  # it shifts all alike
        y_scale: torch.Tensor | None = None,
        y_zero: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Softmax of what the steps stand for."""
        assert y_scale is not None
        axis, shift = self.axis % x.ndim, 0.0 if y_zero is None else real(y_zero).reshape(())
        scores = real(x) * x_scale.reshape(())
        p = scores.flatten(axis).softmax(-1).reshape(x.shape) if self.flat else scores.softmax(axis)
        steps = p * torch.floor(1 / y_scale.reshape(()))
        return emitted(saturated(steps, shift, self.width), self.carried, self.width.dtype)


def _softmax(scope: Scope) -> Converted:
    get, output = scope.attributes.get, scope.node.outputs[0]
    width, flat = declared_width(scope, 4, output), int(get("opset", 13)) < 13
    module = QLinearSoftmax(width, is_carried(scope.graph, output), int(get("axis", -1)), flat)
    return Converted(module, scope.node.inputs)


class QGemm(nn.Module):
    """saturate(round(alpha sa sb ((A' - za) (B' - zb) + C) / sy) + zy); without sy the real number itself."""

    def __init__(self, alpha: float, transpose_a: bool, transpose_b: bool, width: Width | None, carried: bool) -> None:
        super().__init__()
        self.alpha, self.transpose_a, self.transpose_b = alpha, transpose_a, transpose_b
        self.width, self.carried = width, carried

    def forward(
        self,
        a: torch.Tensor,
        a_scale: torch.Tensor,
        a_zero: torch.Tensor,
        b: torch.Tensor,
        b_scale: torch.Tensor,
        b_zero: torch.Tensor,
        c: torch.Tensor | None = None,
        y_scale: torch.Tensor | None = None,
        y_zero: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Multiply exactly, scale, saturate; the right factor may have a scale a column of the product."""
        left = shifted(a, a_zero).double()
        right = shifted(b, b_zero, channels_first=self.transpose_b).double()
        sums = (left.t() if self.transpose_a else left) @ (right.t() if self.transpose_b else right)
        if c is not None:
            sums = sums + c.double()
        factor = self.alpha * a_scale.reshape(()) * (b_scale.reshape(()) if b_scale.numel() == 1 else b_scale)
        if self.width is None or y_scale is None:
            return sums.to(factor.dtype) * factor
        shift = 0.0 if y_zero is None else real(y_zero).reshape(())
        y = saturated(sums.to(factor.dtype) * (factor / y_scale.reshape(())), shift, self.width)
        return emitted(y, self.carried, self.width.dtype)


def _qgemm(scope: Scope) -> Converted:
    get, output = scope.attributes.get, scope.node.outputs[0]
    width = declared_width(scope, 8, output) if scope.input(7) else None
    carried = is_carried(scope.graph, output)
    module = QGemm(float(get("alpha", 1.0)), bool(get("transA", 0)), bool(get("transB", 0)), width, carried)
    return Converted(module, scope.node.inputs)


class MatMulIntegerToFloat(nn.Module):
    """(a - za) (b - zb) sa sb + bias, the sums exact."""

    def forward(
        self,
        a: torch.Tensor,
        b: torch.Tensor,
        a_scale: torch.Tensor,
        b_scale: torch.Tensor,
        a_zero: torch.Tensor | None = None,
        b_zero: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Multiply."""
        sums = shifted(a, a_zero).double() @ shifted(b, b_zero).double()
        y = sums.to(a_scale.dtype) * (a_scale.reshape(()) * (b_scale.reshape(()) if b_scale.numel() == 1 else b_scale))
        return y if bias is None else y + bias


class DynamicQuantizeMatMul(nn.Module):
    """The same of a real left factor, which is quantised by its own range first."""

    def __init__(self) -> None:
        super().__init__()
        self.quantize, self.multiply = DynamicQuantize(carried=True), MatMulIntegerToFloat()

    def forward(
        self,
        a: torch.Tensor,
        b: torch.Tensor,
        b_scale: torch.Tensor,
        b_zero: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Quantise and multiply."""
        quantized, scale, zero = self.quantize(a)
        return self.multiply(quantized, b, scale, b_scale, zero, b_zero, bias)  # type: ignore[no-any-return]


def _to_float(scope: Scope) -> Converted:
    return Converted(MatMulIntegerToFloat(), scope.node.inputs)


def _dynamic(scope: Scope) -> Converted:
    return Converted(DynamicQuantizeMatMul(), scope.node.inputs)


CONVERTERS: Converters = {
    **{(MICROSOFT, operator, 1): _requantized for operator in _ZERO_POINTS},
    (MICROSOFT, "QLinearSoftmax", 1): _softmax,
    (MICROSOFT, "QGemm", 1): _qgemm,
    (MICROSOFT, "MatMulIntegerToFloat", 1): _to_float,
    (MICROSOFT, "DynamicQuantizeMatMul", 1): _dynamic,
}
