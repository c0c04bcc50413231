"""Cast, CastLike, BitCast.

Between real types the gradient passes straight through, to integers and booleans it ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx
import torch
from torch import nn

from onnxray.errors import UnsupportedOperator
from onnxray.importer.nodes.number_types import SMALL_INTEGERS, element_type
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions

_NAMES = {
    "FLOAT": "float32", "DOUBLE": "float64", "FLOAT16": "float16", "BFLOAT16": "bfloat16", "BOOL": "bool",
    "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64",
    "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64",
    "COMPLEX64": "complex64", "COMPLEX128": "complex128",
    "FLOAT8E4M3FN": "float8_e4m3fn", "FLOAT8E4M3FNUZ": "float8_e4m3fnuz", "FLOAT8E5M2": "float8_e5m2",
    "FLOAT8E5M2FNUZ": "float8_e5m2fnuz", "FLOAT8E8M0": "float8_e8m0fnu",
}  # fmt: skip
_TYPES: Mapping[str, torch.dtype] = {name: getattr(torch, own) for name, own in _NAMES.items() if hasattr(torch, own)}
"""ONNX's name of an element type -> torch's type."""

_OF_NUMPY = {own: name for name, own in _NAMES.items()} | {name.lower(): name for name in SMALL_INTEGERS}

_BEYOND = {
    torch.float8_e4m3fn: (464 + 2**-15, math.nan), torch.float8_e4m3fnuz: (248, math.nan),
    torch.float8_e5m2: (61440, math.inf), torch.float8_e5m2fnuz: (61440, math.nan),
}  # fmt: skip
"""8-bit float -> the first number that rounding to nearest even carries out of its range, and what that becomes."""


_BEYOND_ONNX_RUNTIME = 28
"""The first version of Cast that no ONNX Runtime knows yet."""


class Cast(nn.Module):
    """x in another type; reals are truncated to integers, integers lose their higher bits.

    Straight-through between real types: the gradient is that of the identity.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Cast."""
        return x.to(self.dtype)


class CastToSmall(nn.Module):
    """The lowest 2 or 4 bits of x, as a number in int8 or uint8; reals are truncated, or rounded first. No gradient.

    rounded: to the nearest, halves away from zero, as ONNX Runtime has it in every version that it knows. The standard
    is silent, and its reference implementation truncates, which is all there is to go by from version 28 on.
    """

    def __init__(self, bits: int, signed: bool, *, rounded: bool = False) -> None:
        super().__init__()
        self.bits, self.signed, self.rounded = bits, signed, rounded

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Cast."""
        if self.rounded and x.is_floating_point():
            wide = x.to(torch.float64)
            x = torch.sign(wide) * torch.floor(wide.abs() + 0.5)
        low = x.to(torch.int64) & (1 << self.bits) - 1
        return (low - (low >> self.bits - 1 << self.bits)).to(torch.int8) if self.signed else low.to(torch.uint8)


class CastToFloat8(nn.Module):
    """x in an 8-bit float, rounded to nearest even; beyond its range the largest number, infinities too.

    (ONNX Runtime has it so at every version, the standard from version 24 on.) With ``saturate`` off, NaN beyond the
    range, or infinity where the type has one. No gradient: torch would round it to 8 bits as well, so it is refused.
    """

    def __init__(self, dtype: torch.dtype, saturate: bool, refusal: str) -> None:
        super().__init__()
        self.dtype, self.saturate, self.refusal = dtype, saturate, refusal

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Cast."""
        _refuse_gradient(x, self.refusal)
        limit = torch.finfo(self.dtype).max
        x = x.to(torch.float32)
        result = x.clamp(-limit, limit)
        if not self.saturate:  # by hand: torch itself does not do the same everywhere
            start, beyond = _BEYOND[self.dtype]
            result = torch.where(x.abs() >= start, x.sign() * beyond, result)
        return result.to(self.dtype)


class CastToPowerOfTwo(nn.Module):
    """x as a power of two from 2 ** -127 to 2 ** 127 (float8e8m0), rounded up, down or to nearest; NaN stays NaN.

    Beyond the range the nearest end; negative numbers are undefined. No gradient: it is refused.
    """

    def __init__(self, rounding: str, refusal: str) -> None:
        super().__init__()
        self.rounding, self.refusal = rounding, refusal

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Cast: the biased exponent is the byte."""
        _refuse_gradient(x, self.refusal)
        mantissa, exponent = torch.frexp(x.to(torch.float64))  # x = mantissa * 2 ** exponent, 0.5 <= mantissa < 1
        up = {"up": mantissa > 0.5, "down": torch.zeros_like(mantissa, dtype=torch.bool)}.get(
            self.rounding, mantissa >= 0.75
        )
        power = torch.where(x == 0, -127, (exponent - 1 + up).clamp(-127, 127))
        power = torch.where(torch.isinf(x), 127, power)
        return torch.where(torch.isnan(x), 255, power + 127).to(torch.uint8).view(torch.float8_e8m0fnu)


class CastLike(nn.Module):
    """x in the type of another tensor, known when the model runs; 8-bit types may stand for 4 bits and are refused."""

    def __init__(self, refusal: str) -> None:
        super().__init__()
        self.refusal = refusal

    def forward(self, x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Cast."""
        if like.dtype.itemsize == 1 and like.dtype != torch.bool:
            raise UnsupportedOperator(self.refusal)
        return x.to(like.dtype)


class BitCast(nn.Module):
    """The same bits read as another type of the same width. No gradient: it is refused."""

    def __init__(self, dtype: torch.dtype, refusal: str) -> None:
        super().__init__()
        self.dtype, self.refusal = dtype, refusal

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Reinterpret."""
        if x.dtype.itemsize != self.dtype.itemsize:
            raise UnsupportedOperator(f"{self.refusal} ({x.dtype} is not as wide as {self.dtype})")
        if self.dtype.is_floating_point or self.dtype.is_complex:
            _refuse_gradient(x, self.refusal)
        return x.view(self.dtype)


def _refuse_gradient(x: torch.Tensor, refusal: str) -> None:
    if x.requires_grad and torch.is_grad_enabled():
        raise UnsupportedOperator(refusal)


def _module(scope: Scope, name: str) -> nn.Module:
    """The module that casts to the ONNX type ``name``."""
    source = _OF_NUMPY.get(element_type(scope, 0), element_type(scope, 0))
    if source and source not in _TYPES and source not in SMALL_INTEGERS:
        raise scope.refuse(f"it casts from {'STRING' if source == 'object' else source}, which torch does not hold")
    if name in SMALL_INTEGERS:
        return CastToSmall(*SMALL_INTEGERS[name], rounded=scope.version < _BEYOND_ONNX_RUNTIME)
    if name not in _TYPES:
        raise scope.refuse(f"it casts to {name}, which torch does not hold")
    dtype, refusal = _TYPES[name], str(scope.refuse("a gradient is asked for and 8 bits do not hold one"))
    saturate = bool(scope.attributes.get("saturate", 1))
    if name == "FLOAT8E8M0":
        rounding = scope.attributes.get("round_mode", "up")
        if not saturate or rounding not in {"up", "down", "nearest"}:
            raise scope.refuse(f"what saturate {int(saturate)} with round_mode {rounding!r} does is not surely known")
        return CastToPowerOfTwo(rounding, refusal)
    return CastToFloat8(dtype, saturate, refusal) if name.startswith("FLOAT8") else Cast(dtype)


def _cast(scope: Scope) -> Converted:
    to = scope.attributes.get("to")
    name = to.upper() if isinstance(to, str) else _name(to)
    return Converted(_module(scope, name), scope.node.inputs[:1])


def _cast_like(scope: Scope) -> Converted:
    like = element_type(scope, 1)
    if like:
        return Converted(
            _module(scope, "STRING" if like == "object" else _OF_NUMPY.get(like, like)), scope.node.inputs[:1]
        )
    refusal = f"the type of {scope.input(1)!r}, of 8 bits or fewer, is not known before the model runs"
    return Converted(CastLike(str(scope.refuse(refusal))), scope.node.inputs)


def _bit_cast(scope: Scope) -> Converted:
    name, source = _name(scope.attributes.get("to")), element_type(scope, 0).upper()
    if name in SMALL_INTEGERS and source in SMALL_INTEGERS and SMALL_INTEGERS[name][0] == SMALL_INTEGERS[source][0]:
        return Converted(CastToSmall(*SMALL_INTEGERS[name]), scope.node.inputs)
    if name not in _TYPES or not source or source in SMALL_INTEGERS or source.lower() not in _OF_NUMPY:
        raise scope.refuse(f"it reads {source or 'an unknown type'} as {name}, which torch cannot")
    return Converted(BitCast(_TYPES[name], str(scope.refuse("bits have no gradient"))), scope.node.inputs)


def _name(code: object) -> str:
    """ONNX's name of a type that is given by its number."""
    try:
        return str(onnx.TensorProto.DataType.Name(code))
    except (ValueError, TypeError):
        return f"type {code!r}"


CONVERTERS: Converters = {
    **for_versions("Cast", (1, 6, 9, 13, 19, 21, 23, 24, 25, 28), _cast),
    **for_versions("CastLike", (15, 19, 21, 23, 24, 25), _cast_like),
    **for_versions("BitCast", (26,), _bit_cast),
}
