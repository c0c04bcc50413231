"""QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear, all versions.

10 knew one scale a tensor, 13 one a channel, 19 float8, 21 blocks and 4 bits, 23 the precision of the division; the
others added types. Quantised values are carried as floats where that is right (see
``importer/nodes/integers_as_floats.py``).

Gradients are straight-through: rounding passes them as they are, saturation passes them inside the representable
range and stops them outside. So QuantizeLinear followed by DequantizeLinear has the slope 1 or 0.
"""

from __future__ import annotations

import onnx
import torch
from torch import nn

from onnxray.importer.nodes.integers_as_floats import MICROSOFT, WIDTHS, Width, is_carried, type_name
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions


def straight_through(exact: torch.Tensor, smooth: torch.Tensor) -> torch.Tensor:
    """The value of ``exact`` (which is within half of ``smooth``, so that nothing is lost) with ``smooth``'s slope."""
    return smooth + (exact - smooth).detach()


def saturated(quotient: torch.Tensor, zero: torch.Tensor | float, width: Width) -> torch.Tensor:
    """round(quotient) + zero within the type's range: a carried value; slope 1 inside the range, 0 outside."""
    if isinstance(zero, torch.Tensor):
        clipped = torch.clamp(quotient, (width.low - zero).to(quotient), (width.high - zero).to(quotient))
    else:
        clipped = torch.clamp(quotient, width.low - zero, width.high - zero)
    exact = clipped.to(width.dtype).to(clipped.dtype) if width.is_float else clipped.round()
    return straight_through(exact, clipped) + zero


def emitted(value: torch.Tensor, carried: bool, dtype: torch.dtype) -> torch.Tensor:
    """A carried value as it is, or as a real integer tensor."""
    return value if carried else value.to(dtype)


def aligned(part: torch.Tensor, x: torch.Tensor, axis: int, block: int) -> torch.Tensor:
    """A scale or zero point as it is broadcast to ``x``: a scalar, one number an index of an axis, or blocks of it."""
    if part.numel() == 1:
        return part.reshape(())
    axis = axis + x.ndim if axis < 0 else axis
    if part.ndim == 1:
        return part.reshape([-1 if position == axis else 1 for position in range(x.ndim)])
    if not block or part.shape == x.shape:
        return part
    return part.repeat_interleave(block, axis).narrow(axis, 0, x.shape[axis])


def real(x: torch.Tensor) -> torch.Tensor:
    """Any quantised tensor, scale or zero point as numbers to compute with: floats of at least 32 bits."""
    if x.dtype in {torch.float32, torch.float64}:
        return x
    return x.to(torch.float64 if x.dtype in {torch.int32, torch.int64} else torch.float32)


class Quantize(nn.Module):
    """saturate(round(x / scale) + zero point), halves to even; straight-through, see the top of this file."""

    def __init__(self, width: Width, carried: bool, axis: int, block: int, precision: torch.dtype | None) -> None:
        super().__init__()
        self.width, self.carried, self.axis, self.block, self.precision = width, carried, axis, block, precision

    def forward(self, x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | None = None) -> torch.Tensor:
        """Quantise; the division is in the precision asked for, by default in float32, as ONNX Runtime divides."""
        scale = aligned(scale, x, self.axis, self.block)
        kind = self.precision or torch.float32
        if kind == torch.float32 and x.dtype == torch.float64:
            kind = torch.float64
        quotient = real(x.to(kind) / scale.to(kind))
        shift = 0.0 if zero is None or self.width.is_float else real(aligned(zero, x, self.axis, self.block))
        return emitted(saturated(quotient, shift, self.width), self.carried, self.width.dtype)


class FixedQuantize(nn.Module):
    """The same for one constant scale and zero point and float32 inputs, which is most of what models hold."""

    scale: torch.Tensor

    def __init__(self, width: Width, carried: bool, scale: torch.Tensor, zero: float) -> None:
        super().__init__()
        self.width, self.carried, self.zero = width, carried, zero
        self.register_buffer("scale", scale.detach().reshape(()).clone(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Quantise."""
        return emitted(saturated(x / self.scale, self.zero, self.width), self.carried, self.width.dtype)


class Dequantize(nn.Module):
    """(x - zero point) * scale; of integer tensors and of carried values."""

    def __init__(self, axis: int, block: int, dtype: torch.dtype | None) -> None:
        super().__init__()
        self.axis, self.block, self.dtype = axis, block, dtype

    def forward(self, x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | None = None) -> torch.Tensor:
        """Dequantise, in float32 at least."""
        dtype = self.dtype or scale.dtype
        number = real(x)
        if zero is not None:
            number = number - real(aligned(zero, x, self.axis, self.block))
        wide = scale.dtype if scale.dtype == torch.float64 else torch.float32
        return (number.to(wide) * aligned(scale, x, self.axis, self.block).to(wide)).to(dtype)


class Held(nn.Module):
    """A value that depends on no input, computed once: weights that the file holds in 8 bits."""

    value: torch.Tensor

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value.detach(), persistent=False)

    def forward(self) -> torch.Tensor:
        """The value."""
        return self.value


def declared_width(scope: Scope, position: int, output: str) -> Width:
    """The quantised type of an output: as the graph declares it, else as its zero point (an input) is."""
    value = scope.graph.values.get(output)
    name = value.dtype if value is not None and value.dtype else type_of(scope, position) or "uint8"
    if name not in WIDTHS:
        raise scope.refuse(f"its output's type is {name}, which torch does not hold")
    return WIDTHS[name]


def type_of(scope: Scope, position: int) -> str | None:
    """The declared type of an input, by numpy's name."""
    name = scope.input(position)
    return type_name(scope.graph, name) if name else None


def _torch_type(scope: Scope, attribute: str) -> torch.dtype | None:
    number = int(scope.attributes.get(attribute, 0))
    if not number:
        return None
    name = str(onnx.helper.tensor_dtype_to_np_dtype(number))
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise scope.refuse(f"its {attribute} is {name}; float types that torch holds were expected")
    return dtype


def _quantize(scope: Scope) -> Converted:
    get, output = scope.attributes.get, scope.node.outputs[0]
    width = declared_width(scope, 2, output)
    if width.is_float and not get("saturate", 1):
        raise scope.refuse("saturate=0: torch casts to 8-bit floats by rules of its own")
    carried, precision = is_carried(scope.graph, output), _torch_type(scope, "precision")
    scale, zero = scope.constant(1), scope.constant(2)
    single = scale is not None and scale.numel() == 1 and scale.dtype == torch.float32
    plain = type_of(scope, 0) == "float32" and precision in {None, torch.float32}
    if scale is not None and single and plain and (zero is not None or not scope.input(2)):
        shift = 0.0 if zero is None or width.is_float else float(zero.reshape(()).item())
        return Converted(FixedQuantize(width, carried, scale, shift), scope.node.inputs[:1])
    axis = int(get("axis", 1))
    return Converted(Quantize(width, carried, axis, int(get("block_size", 0)), precision), scope.node.inputs)


def _dequantize(scope: Scope) -> Converted:
    get = scope.attributes.get
    module = Dequantize(int(get("axis", 1)), int(get("block_size", 0)), _torch_type(scope, "output_dtype"))
    constants = [scope.constant(position) for position, name in enumerate(scope.node.inputs) if name]
    if all(constant is not None for constant in constants) and len(constants) == len(scope.node.inputs):
        with torch.no_grad():
            return Converted(Held(module(*constants)), ())
    return Converted(module, scope.node.inputs)


class DynamicQuantize(nn.Module):
    """x quantised to uint8 by its own range, widened to hold 0; its scale and zero point.

    Straight-through: the scale and the zero point, which depend on the least and the greatest number alone, are taken
    as constants.
    """

    def __init__(self, carried: bool) -> None:
        super().__init__()
        self.carried = carried

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantise."""
        low, high = x.detach().amin().clamp(max=0), x.detach().amax().clamp(min=0)
        span = high - low
        scale = torch.where(span > 0, span / 255, 1)  # for zeros alone 1, as ONNX Runtime has it
        zero = (-low / scale).clamp(0, 255).round()
        y = saturated(x / scale, zero, WIDTHS["uint8"])
        return emitted(y, self.carried, torch.uint8), scale, zero.to(torch.uint8)


def _dynamic_quantize(scope: Scope) -> Converted:
    module = DynamicQuantize(is_carried(scope.graph, scope.node.outputs[0]))
    return Converted(module, scope.node.inputs, several=True)


_VERSIONS = (10, 13, 19, 21, 23, 24, 25, 28)

CONVERTERS: Converters = {
    **for_versions("QuantizeLinear", _VERSIONS, _quantize),
    **for_versions("DequantizeLinear", _VERSIONS, _dequantize),
    **for_versions("DynamicQuantizeLinear", (11,), _dynamic_quantize),
    (MICROSOFT, "QuantizeLinear", 1): _quantize,
    (MICROSOFT, "DequantizeLinear", 1): _dequantize,
}
