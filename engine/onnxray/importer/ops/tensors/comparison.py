"""Comparisons, logic, bits. None has a gradient: their outputs are booleans or integers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from onnxray.importer.nodes.number_types import aligned, element_type, narrow, ordered, signed_bits
from onnxray.importer.nodes.scope import Converted, Converter, Converters, Scope, for_versions

Function = Callable[..., torch.Tensor]


class Compare(nn.Module):
    """f(a, b) as booleans; unsigned integers are compared in a wider type. No gradient."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Compare."""
        return self.function(ordered(a), ordered(b))


class Logic(nn.Module):
    """f of one or two tensors of booleans. No gradient."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        """Compute."""
        return self.function(*values)


class Bitwise(nn.Module):
    """f of the bits of one or two tensors of integers. No gradient."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        """Compute on the same bits as signed integers."""
        return self.function(*map(signed_bits, values)).view(values[0].dtype)


class Shift(nn.Module):
    """x * 2 ** y or floor(x / 2 ** y), bit by bit: what leaves is lost, and the sign moves in from the left.

    A shift that is negative or as long as the type leaves the sign alone: 0, or -1 for a negative x moved right.
    No gradient.
    """

    def __init__(self, left: bool) -> None:
        super().__init__()
        self.left = left

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Shift in int64; uint64 by its bits."""
        bits = x.dtype.itemsize * 8
        wide, by = (
            value.view(torch.int64) if value.dtype == torch.uint64 else value.to(torch.int64) for value in (x, y)
        )
        within = (by >= 0) & (by < bits)
        by = torch.where(within, by, 0)
        if self.left:
            return narrow(torch.where(within, wide << by, 0), x.dtype)
        if x.dtype == torch.uint64:
            halved = (wide >> 1) & torch.iinfo(torch.int64).max  # a logical shift by one; the rest finds a clear sign
            return torch.where(within, torch.where(by > 0, halved >> (by - 1).clamp(min=0), wide), 0).view(x.dtype)
        return narrow(torch.where(within, wide >> by, wide >> 63), x.dtype)


class IsInfinite(nn.Module):
    """True where x is one of the infinities that are asked for. No gradient."""

    def __init__(self, positive: bool, negative: bool) -> None:
        super().__init__()
        self.positive, self.negative = positive, negative

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Test; 8-bit floats as float32."""
        x = x.float() if x.dtype.itemsize == 1 else x
        if self.positive and self.negative:
            return torch.isinf(x)
        if self.positive:
            return torch.isposinf(x)
        return torch.isneginf(x) if self.negative else torch.zeros_like(x, dtype=torch.bool)


class IsNotANumber(nn.Module):
    """True where x is not a number. No gradient."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Test; 8-bit floats as float32."""
        return torch.isnan(x.float() if x.dtype.itemsize == 1 else x)


def _comparison(function: Function) -> Converter:
    def convert(scope: Scope) -> Converted:
        if "object" in {element_type(scope, 0), element_type(scope, 1)}:
            raise scope.refuse("it compares strings, which torch does not hold")
        return aligned(scope, Compare(function))

    return convert


def _logic(function: Function) -> Converter:
    return lambda scope: aligned(scope, Logic(function))


def _bitwise(function: Function) -> Converter:
    return lambda scope: Converted(Bitwise(function), scope.node.inputs)


def _shift(scope: Scope) -> Converted:
    direction = scope.attributes.get("direction")
    if direction not in {"LEFT", "RIGHT"}:
        raise scope.refuse(f"its direction is {direction!r}, LEFT or RIGHT were expected")
    return Converted(Shift(left=direction == "LEFT"), scope.node.inputs)


def _is_infinite(scope: Scope) -> Converted:
    get = scope.attributes.get
    module = IsInfinite(positive=bool(get("detect_positive", 1)), negative=bool(get("detect_negative", 1)))
    return Converted(module, scope.node.inputs)


def _is_nan(scope: Scope) -> Converted:
    return Converted(IsNotANumber(), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("Equal", (1, 19), _comparison(torch.eq)),
    **for_versions("Greater", (1, 9, 13), _comparison(torch.gt)),
    **for_versions("Less", (1, 9, 13), _comparison(torch.lt)),
    **for_versions("GreaterOrEqual", (12, 16), _comparison(torch.ge)),
    **for_versions("LessOrEqual", (12, 16), _comparison(torch.le)),
    **for_versions("And", (1,), _logic(torch.logical_and)),
    **for_versions("Or", (1,), _logic(torch.logical_or)),
    **for_versions("Xor", (1,), _logic(torch.logical_xor)),
    **for_versions("BitwiseAnd", (18,), _bitwise(torch.bitwise_and)),
    **for_versions("BitwiseOr", (18,), _bitwise(torch.bitwise_or)),
    **for_versions("BitwiseXor", (18,), _bitwise(torch.bitwise_xor)),
    **for_versions("BitwiseNot", (18,), _bitwise(torch.bitwise_not)),
    **for_versions("BitShift", (11, 28), _shift),
    **for_versions("IsInf", (10, 20), _is_infinite),
    **for_versions("IsNaN", (9, 20), _is_nan),
}
