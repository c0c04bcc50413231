"""Sums, products, powers, extrema and the elementary functions.

Versions 1 and 6 of the binary operators align b with an ``axis`` of a, from 7 on they broadcast as numpy does; the
later versions add types. Unsigned integers are computed in wider signed ones, uint64 in its bits. Neg, Sqrt, Reciprocal
and the versions that are not listed here are onnx2torch's (``importer/onnx2torch_operators.py``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from onnxray.importer.nodes.number_types import (
    aligned,
    divide_unsigned,
    element_type,
    narrow,
    ordered,
    unordered,
    widen,
)
from onnxray.importer.nodes.scope import Converted, Converter, Converters, Scope, for_versions

Function = Callable[..., torch.Tensor]


class Binary(nn.Module):
    """f(a, b) element by element; integers wrap around."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Compute; unsigned integers in a wider type."""
        if a.dtype.is_floating_point:
            return self.function(a, b)
        return narrow(self.function(widen(a), widen(b)), a.dtype)


class Divide(nn.Module):
    """a / b; integers are truncated towards zero."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Divide."""
        if a.dtype.is_floating_point or a.dtype.is_complex:
            return torch.div(a, b)
        if a.dtype == torch.uint64:
            return divide_unsigned(a.view(torch.int64), b.view(torch.int64)).view(torch.uint64)
        return narrow(torch.div(widen(a), widen(b), rounding_mode="trunc"), a.dtype)


class Modulo(nn.Module):
    """a - floor(a / b) * b, of b's sign; with ``fmod`` a - trunc(a / b) * b, of a's sign."""

    def __init__(self, fmod: bool) -> None:
        super().__init__()
        self.function: Function = torch.fmod if fmod else torch.remainder

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Compute."""
        if a.dtype == torch.uint64:
            x, y = a.view(torch.int64), b.view(torch.int64)
            return (x - divide_unsigned(x, y) * y).view(torch.uint64)
        return narrow(self.function(widen(a), widen(b)), a.dtype)


class Power(nn.Module):
    """x ** exponent for real x and a fixed exponent."""

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = exponent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Raise."""
        return torch.pow(x, self.exponent)


class ComputedPower(nn.Module):
    """x ** y in x's type, whatever y's type is; an integer to a real or negative power is truncated."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Raise."""
        if x.dtype.is_floating_point:
            y = y if y.dtype.is_floating_point else y.to(x.dtype)
            return torch.pow(x, y).to(x.dtype)
        if y.dtype.is_floating_point:
            return torch.pow(x.to(torch.float64), y.to(torch.float64)).to(x.dtype)
        if y.dtype == torch.uint64:  # from 2 ** 63 on, the bits would read as negative
            y = torch.where(y.view(torch.int64) < 0, torch.iinfo(torch.int64).max, y.view(torch.int64))
        y = widen(y)
        whole = torch.pow(x, y.clamp(min=0))
        return torch.where(y < 0, torch.pow(x.to(torch.float64), y.to(torch.float64)).to(x.dtype), whole).to(x.dtype)


class Extremum(nn.Module):
    """The largest or smallest of all inputs, element by element; where inputs are equal, they share the gradient."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        """Compare pair by pair."""
        if len(values) == 1:
            return values[0]
        found = functools.reduce(self.function, map(ordered, values))
        return found if found.dtype.is_floating_point else unordered(found, values[0].dtype)


class Sum(nn.Module):
    """The sum of all inputs, or their mean."""

    def __init__(self, mean: bool) -> None:
        super().__init__()
        self.mean = mean

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        """Add, in the inputs' order."""
        total = functools.reduce(torch.add, values)
        return total / len(values) if self.mean else total


class Unary(nn.Module):
    """f(x) element by element."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute."""
        return self.function(x)


class _StraightThrough(torch.autograd.Function):
    """Rounding to the nearest whole number, halves to even; its gradient is that of the identity."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return torch.round(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep nothing."""

    @staticmethod
    def backward(_: Any, *gradients: Any) -> Any:
        return gradients[0]


class Round(nn.Module):
    """round(x), halves to even. Straight-through: the gradient is that of x, as fake quantisation needs it.

    Floor and Ceil, which coordinates are written with, keep their true gradient: zero.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Round."""
        return _StraightThrough.apply(x)  # type: ignore[no-any-return, no-untyped-call]


def _absolute(x: torch.Tensor) -> torch.Tensor:
    return torch.abs(x) if x.dtype.is_signed else x


def _sign(x: torch.Tensor) -> torch.Tensor:
    """-1, 0 or 1. Its gradient is zero."""
    return torch.sign(x) if x.dtype.is_signed else torch.ne(x, 0).to(x.dtype)


def _erf(x: torch.Tensor) -> torch.Tensor:
    return torch.erf(x) if x.dtype.is_floating_point else narrow(torch.erf(x.to(torch.float64)), x.dtype)


def _determinant(x: torch.Tensor) -> torch.Tensor:
    """The determinants of the matrices in the last two axes; half precision is computed in float32."""
    return torch.linalg.det(x.float() if x.dtype.itemsize < 4 else x).to(x.dtype)  # type: ignore[no-any-return]


def _unary(function: Function) -> Converter:
    return lambda scope: Converted(Unary(function), scope.node.inputs)


def _binary(function: Function) -> Converter:
    return lambda scope: aligned(scope, Binary(function))


def _div(scope: Scope) -> Converted:
    return aligned(scope, Divide())


def _mod(scope: Scope) -> Converted:
    return Converted(Modulo(bool(scope.attributes.get("fmod", 0))), scope.node.inputs)


def _pow(scope: Scope) -> Converted:
    exponent, known = scope.constant(1), scope.graph.values.get(scope.input(0))
    if exponent is not None and exponent.numel() == 1 and known is not None and known.is_float:
        rank = scope.rank(0)
        if exponent.ndim == 0 or (rank is not None and rank >= exponent.ndim):
            return Converted(Power(float(exponent.item())), scope.node.inputs[:1])
    return aligned(scope, ComputedPower())


def _extremum(function: Function) -> Converter:
    return lambda scope: Converted(Extremum(function), scope.node.inputs)


def _sum(mean: bool) -> Converter:
    return lambda scope: Converted(Sum(mean), scope.node.inputs)


def _round(scope: Scope) -> Converted:
    if element_type(scope, 0).startswith(("int", "uint")):
        raise scope.refuse("it rounds integers, which the standard does not know")
    return Converted(Round(), scope.node.inputs)


_BROADCASTING, _BASIC, _HYPERBOLIC = (1, 6, 7, 13, 14), (1, 6, 13), (9, 22)

CONVERTERS: Converters = {
    **for_versions("Add", _BROADCASTING, _binary(torch.add)),
    **for_versions("Sub", _BROADCASTING, _binary(torch.sub)),
    **for_versions("Mul", (1, 6), _binary(torch.mul)),
    **for_versions("Div", _BROADCASTING, _div),
    **for_versions("Mod", (10, 13, 28), _mod),
    **for_versions("Pow", (1, 7, 12, 13, 15), _pow),
    **for_versions("Min", (1, 6, 8, 12, 13), _extremum(torch.minimum)),
    **for_versions("Max", (1, 6, 8, 12, 13), _extremum(torch.maximum)),
    **for_versions("Sum", (1, 6, 8, 13), _sum(mean=False)),
    **for_versions("Mean", (1, 6, 8, 13), _sum(mean=True)),
    **for_versions("Abs", _BASIC, _unary(_absolute)),
    **for_versions("Sign", (9, 13), _unary(_sign)),
    **for_versions("Exp", (1,), _unary(torch.exp)),
    **for_versions("Log", (1,), _unary(torch.log)),
    **for_versions("Ceil", (1,), _unary(torch.ceil)),
    **for_versions("Floor", (1,), _unary(torch.floor)),
    **for_versions("Round", (11, 22), _round),
    **for_versions("Erf", (9,), _unary(_erf)),
    **for_versions("Det", (11, 22), _unary(_determinant)),
    **for_versions("Sin", (22,), _unary(torch.sin)),
    **for_versions("Cos", (22,), _unary(torch.cos)),
    **for_versions("Tan", (22,), _unary(torch.tan)),
    **for_versions("Asin", (22,), _unary(torch.asin)),
    **for_versions("Acos", (22,), _unary(torch.acos)),
    **for_versions("Atan", (22,), _unary(torch.atan)),
    **for_versions("Sinh", _HYPERBOLIC, _unary(torch.sinh)),
    **for_versions("Cosh", _HYPERBOLIC, _unary(torch.cosh)),
    **for_versions("Asinh", _HYPERBOLIC, _unary(torch.asinh)),
    **for_versions("Acosh", _HYPERBOLIC, _unary(torch.acosh)),
    **for_versions("Atanh", _HYPERBOLIC, _unary(torch.atanh)),
}
