"""All Reduce operators. Their axes are an attribute at first, an input from 13 (ReduceSum) or 18 on, maybe computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from onnxray.importer.nodes.number_types import element_type, narrow, ordered, unordered, widen
from onnxray.importer.nodes.scope import Converted, Converter, Converters, Scope

Axes = tuple[int, ...]
Function = Callable[[torch.Tensor, Axes, bool], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Reduction:
    """What an operator computes over axes, and what it gives for no numbers at all (a mean: 0, as ONNX Runtime has it).

    ``real``: integers are reduced as float64 and truncated. ``order``: numbers are compared, not computed with.
    ``alone``: what is left of it without axes to reduce.
    """

    function: Function
    empty: float
    alone: Callable[[torch.Tensor], torch.Tensor]
    real: bool = False
    order: bool = False


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _product(x: torch.Tensor, axes: Axes, keep: bool) -> torch.Tensor:
    """Axis by axis, from the last on, so that the others keep their numbers."""
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = torch.prod(x, axis, keepdim=keep)
    return x


def _sum(x: torch.Tensor, axes: Axes, keep: bool) -> torch.Tensor:
    return torch.sum(x, axes, keepdim=keep)


def _mean(x: torch.Tensor, axes: Axes, keep: bool) -> torch.Tensor:
    return torch.mean(x, axes, keepdim=keep)


def _absolute_sum(x: torch.Tensor, axes: Axes, keep: bool) -> torch.Tensor:
    return torch.sum(torch.abs(x), axes, keepdim=keep)


def _norm(x: torch.Tensor, axes: Axes, keep: bool) -> torch.Tensor:
    """The Euclidean norm; its gradient at the origin is taken to be zero."""
    return torch.linalg.vector_norm(x, 2, axes, keepdim=keep)  # type: ignore[no-any-return]


def _square_sum(x: torch.Tensor, axes: Axes, keep: bool) -> torch.Tensor:
    return torch.sum(torch.square(x), axes, keepdim=keep)


def _log_sum(x: torch.Tensor, axes: Axes, keep: bool) -> torch.Tensor:
    return torch.log(torch.sum(x, axes, keepdim=keep))


def _log_sum_exp(x: torch.Tensor, axes: Axes, keep: bool) -> torch.Tensor:
    return torch.logsumexp(x, axes, keepdim=keep)


def _maximum(x: torch.Tensor, axes: Axes, keep: bool) -> torch.Tensor:
    return torch.amax(x, axes, keepdim=keep)


def _minimum(x: torch.Tensor, axes: Axes, keep: bool) -> torch.Tensor:
    return torch.amin(x, axes, keepdim=keep)


_INFINITY = float("inf")
_REDUCTIONS: Mapping[str, Reduction] = {
    "ReduceMean": Reduction(_mean, 0, _same, real=True),
    "ReduceSum": Reduction(_sum, 0, _same),
    "ReduceMax": Reduction(_maximum, -_INFINITY, _same, order=True),
    "ReduceMin": Reduction(_minimum, _INFINITY, _same, order=True),
    "ReduceProd": Reduction(_product, 1, _same),
    "ReduceL1": Reduction(_absolute_sum, 0, torch.abs),
    "ReduceL2": Reduction(_norm, 0, torch.abs, real=True),
    "ReduceSumSquare": Reduction(_square_sum, 0, torch.square),
    "ReduceLogSum": Reduction(_log_sum, -_INFINITY, torch.log, real=True),
    "ReduceLogSumExp": Reduction(_log_sum_exp, -_INFINITY, _same, real=True),
}


class Reduce(nn.Module):
    """A reduction over fixed or computed axes, over all where none are given (over none with ``noop``).

    Equal maxima and minima share the gradient.
    """

    def __init__(self, operator: str, axes: Axes | None, keep: bool, noop: bool) -> None:
        super().__init__()
        self.reduction = _REDUCTIONS[operator]
        self.axes, self.keep, self.noop = axes, keep, noop

    def forward(self, x: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
        """Reduce; real numbers, the common case, without detours."""
        over = self.axes if axes is None else tuple(axes.tolist())
        if over or not self.noop:
            over = over or tuple(range(x.ndim))
            if x.dtype.is_floating_point and x.numel():
                return self.reduction.function(x, over, self.keep)
        return self._unusual(x, over or ())

    def _unusual(self, x: torch.Tensor, over: Axes) -> torch.Tensor:
        """Integers, booleans, empty tensors, and nothing to reduce."""
        if not x.numel() and over:
            return self._empty(x, over)
        if x.dtype.is_floating_point:
            return self.reduction.alone(x)
        if self.reduction.order:
            return unordered(self._reduced(ordered(x), over), x.dtype)
        if self.reduction.real:
            return self._reduced(x.to(torch.float64), over).to(x.dtype)
        unsigned = self.reduction.function is _absolute_sum and not x.dtype.is_signed  # its bits may read as negative
        wide = widen(x)
        return narrow(
            _sum(wide, over, self.keep) if unsigned and over else self._reduced(wide, over, unsigned), x.dtype
        )

    def _reduced(self, x: torch.Tensor, over: Axes, unsigned: bool = False) -> torch.Tensor:
        if over:
            return self.reduction.function(x, over, self.keep)
        return x if unsigned else self.reduction.alone(x)

    def _empty(self, x: torch.Tensor, over: Axes) -> torch.Tensor:
        """What the operator gives for no numbers; the ends of an integer's range where it would be infinite."""
        reduced = {axis % x.ndim for axis in over}
        shape = [
            1 if axis in reduced else size for axis, size in enumerate(x.shape) if self.keep or axis not in reduced
        ]
        value = self.reduction.empty
        if not x.dtype.is_floating_point and abs(value) == _INFINITY:
            if x.dtype == torch.bool:
                return torch.full(shape, value > 0, dtype=x.dtype, device=x.device)
            limits = torch.iinfo(x.dtype)
            return torch.full(shape, limits.max if value > 0 else limits.min, dtype=x.dtype, device=x.device)
        return torch.full(shape, value, dtype=x.dtype, device=x.device)


def _reduce(operator: str) -> Converter:
    def convert(scope: Scope) -> Converted:
        get = scope.attributes.get
        keep, noop = bool(get("keepdims", 1)), bool(get("noop_with_empty_axes", 0))
        if operator == "ReduceLogSumExp" and element_type(scope, 0).startswith(("int", "uint")):
            raise scope.refuse("it takes logarithms of integers; the standard has since withdrawn those types")
        axes = get("axes")
        if scope.input(1):
            constant = scope.constant(1)
            if constant is None:
                return Converted(Reduce(operator, None, keep, noop), scope.node.inputs)
            axes = constant.tolist()
        return Converted(Reduce(operator, tuple(axes) if axes else None, keep, noop), scope.node.inputs[:1])

    return convert


_COMPARING = {"ReduceMax": (1, 11, 12, 13, 18, 20), "ReduceMin": (1, 11, 12, 13, 18, 20)}
_OTHERS = {
    "ReduceSum": (1, 11, 13),
    "ReduceLogSum": (1, 11, 13, 18, 28),
    "ReduceLogSumExp": (1, 11, 13, 18, 28),
}

CONVERTERS: Converters = {
    ("", operator, version): _reduce(operator)
    for operator in _REDUCTIONS
    for version in (_COMPARING | _OTHERS).get(operator, (1, 11, 13, 18))
}
