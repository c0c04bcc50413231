"""DeepLIFT's rules: a node's value as it is, and a multiplier in place of its derivative (Shrikumar et al. 2017).

m is what comes from above, x and y a node's input and value, x0 and y0 those at the baseline, D x = x - x0, and a bar
the mean of both. What goes on satisfies sum m_x D x = sum m D y, each rule exactly so:

    rescale    m_x = m D y / D x, f'(x) m where |D x| < 1e-10          f of one number (section 3.5.1)
    product    m_a = J_a(bar b)^T m, m_b = J_b(bar a)^T m              a b, or the product of two matrices
    quotient   m_a = m bar(1 / b),   m_b = - m bar a / (b b0)          a / b
    maximum    m_x D x = J(x)^T m (max(y, y0) - y0) + J(x0)^T m (y - max(y, y0))     captum's rule; windows that
               overlap add up
    softmax    y = exp(l), l = x - log Z, Z = sum exp(x): rescaled one after the other
    normalisation   of layers, instances and groups: d = x - mean x, s = (mean d^2 + e)^(-1/2), y = d s: product and
               rescale one after the other
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from onnxray.importer.ops.neural.normalization import GroupNorm, LayerNorm
from onnxray.importer.relevance.propagation import softmax_axes

Tensors = tuple[torch.Tensor, ...]
Kind = Literal["linear", "rescale", "product", "quotient", "maximum", "softmax", "normalisation"]
_NEAR = 1e-10


@dataclass(frozen=True, eq=False)
class Differences:
    """What one node read and gave: x and x0 of the values that change, y and y0."""

    x: Tensors
    x0: Tensors
    y: torch.Tensor
    y0: torch.Tensor


class ByReference(nn.Module):
    """A node's module and a rule in place of its derivative.

    places: where what changes stands among its arguments; the node's value at the baseline comes first, then theirs.
    softmax: its axis, and whether all from it on are meant.
    """

    def __init__(
        self, module: nn.Module, kind: Kind, places: tuple[int, ...], softmax: tuple[int, bool] = (-1, False)
    ) -> None:
        super().__init__()
        self.module, self.kind, self.places, self.softmax = module, kind, places, softmax

    def forward(self, *given: Any, **named: Any) -> Any:
        """The node's own value."""
        count = len(self.places)
        y0, x0, arguments = given[0], given[1 : 1 + count], given[1 + count :]
        with torch.no_grad():
            result = self.module(*arguments, **named)
        value, rest = (result[0], tuple(result[1:])) if isinstance(result, tuple | list) else (result, None)
        x = tuple(arguments[k] for k in self.places)

        def again(reads: Tensors) -> torch.Tensor:
            filled = list(arguments)
            for place, one in zip(self.places, reads):
                filled[place] = one
            found = self.module(*filled, **named)
            first: torch.Tensor = found[0] if isinstance(found, tuple | list) else found
            return first

        def back(m: torch.Tensor) -> Tensors:
            at = Differences(x, x0, value, y0)
            if self.kind == "softmax":
                return (_softmax(at, m, softmax_axes(value, *self.softmax)),)
            if self.kind == "normalisation":
                return (_normalisation(at, m, arguments[1], self.module),)
            return _quotient(at, m) if self.kind == "quotient" else _RULES[self.kind](at, m, again)

        ruled = _Multiplied.apply(back, value, *x)  # type: ignore[no-untyped-call]
        return ruled if rest is None else (ruled, *rest)


class _Multiplied(torch.autograd.Function):
    """value; what comes to the values that were read is by the rule."""

    @staticmethod
    def forward(ctx: Any, back: Callable[[torch.Tensor], Tensors], value: torch.Tensor, *_: torch.Tensor) -> Any:
        """Keep the rule."""
        ctx.back = back
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *multipliers: torch.Tensor) -> tuple[Any, ...]:
        """The rule."""
        return (None, None, *ctx.back(multipliers[0]))


Again = Callable[[Tensors], torch.Tensor]


def pulled(again: Again, reads: Tensors, m: torch.Tensor) -> Tensors:
    """J^T m of a node at what it reads."""
    with torch.enable_grad():
        leaves = tuple(x.detach().requires_grad_() for x in reads)
        value = again(leaves)
    found = torch.autograd.grad(value, leaves, m, allow_unused=True)
    return tuple(torch.zeros_like(x) if one is None else one for x, one in zip(reads, found))


def _rescale(at: Differences, m: torch.Tensor, again: Again) -> Tensors:
    """Of one value, which a product of it with itself reads twice."""
    x, x0 = at.x[0], at.x0[0]
    slope = torch.stack(pulled(again, at.x, m)).sum(0)
    change = x - x0
    near = change.abs() < _NEAR
    found = torch.where(near, slope, m * (at.y - at.y0) / torch.where(near, 1, change))
    return (found, *(torch.zeros_like(x) for _ in at.x[1:]))


def _product(at: Differences, m: torch.Tensor, again: Again) -> Tensors:
    (a, b), (a0, b0) = at.x, at.x0
    return pulled(again, (a, (b + b0) / 2), m)[0], pulled(again, ((a + a0) / 2, b), m)[1]


def _quotient(at: Differences, m: torch.Tensor) -> Tensors:
    (a, b), (a0, b0) = at.x, at.x0
    return (m * (1 / b + 1 / b0) / 2).sum_to_size(a.shape), (-m * (a + a0) / 2 / (b * b0)).sum_to_size(b.shape)


def _maximum(at: Differences, m: torch.Tensor, again: Again) -> Tensors:
    largest = torch.maximum(at.y, at.y0)
    own, theirs = pulled(again, at.x, m * (largest - at.y0)), pulled(again, at.x0, m * (at.y - largest))
    found = []
    for x, x0, mine, other in zip(at.x, at.x0, own, theirs):
        change = x - x0
        near = change.abs() < _NEAR
        found.append(torch.where(near, 0, (mine + other) / torch.where(near, 1, change)))
    return tuple(found)


_RULES = {"rescale": _rescale, "product": _product, "maximum": _maximum}


def _softmax(at: Differences, m: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """m_x = m_l - (sum m_l) (D log Z / D Z) (D e / D x), m_l = m D y / D l; shifted, so that no exp grows."""
    (x,), (x0,) = at.x, at.x0
    top = torch.maximum(x, x0).amax(axes, keepdim=True)
    total, total0 = ((one - top).exp().sum(axes, keepdim=True) for one in (x, x0))
    logs, logs0 = (torch.logsumexp(one, axes, keepdim=True) for one in (x, x0))
    change = total - total0
    near = change.abs() < _NEAR
    of_logarithm = torch.where(near, 1 / total, (logs - logs0) / torch.where(near, 1, change))
    own = m * _slope_of_exp(x - logs, x0 - logs0)
    return own - own.sum(axes, keepdim=True) * of_logarithm * _slope_of_exp(x - top, x0 - top)


def _slope_of_exp(x: torch.Tensor, x0: torch.Tensor) -> torch.Tensor:
    """(exp x - exp x0) / (x - x0) = exp(max) (1 - exp(-|x - x0|)) / |x - x0|, as exact where they are close."""
    change = (x - x0).abs()
    near = change < _NEAR
    return torch.maximum(x, x0).exp() * torch.where(near, 1, -torch.expm1(-change) / torch.where(near, 1, change))


def _normalisation(at: Differences, m: torch.Tensor, scale: torch.Tensor, module: nn.Module) -> torch.Tensor:
    """Of layers, and of each group of channels."""
    (x,), (x0,) = at.x, at.x0
    if isinstance(module, LayerNorm):
        return _of_statistics(x, x0, m * scale, tuple(range(module.axis % x.ndim, x.ndim)), module.epsilon)
    assert isinstance(module, GroupNorm)
    groups = module.groups or x.shape[1]
    if module.by_group:
        scale = scale.repeat_interleave(x.shape[1] // groups)
    w = m * scale.reshape(-1, *(1,) * (x.ndim - 2))
    apart = (len(x), groups, -1)
    found = _of_statistics(x.reshape(apart), x0.reshape(apart), w.reshape(apart), (2,), module.epsilon)
    return found.reshape(x.shape)


def _of_statistics(
    x: torch.Tensor, x0: torch.Tensor, w: torch.Tensor, axes: tuple[int, ...], epsilon: float
) -> torch.Tensor:
    """m_x = m_d - mean m_d,   m_d = w bar s + (sum w bar d) (D s / D v) (d + d0) / n,   w = m times the scale."""
    d, d0 = (one - one.mean(axes, keepdim=True) for one in (x, x0))
    root, root0 = ((one.square().mean(axes, keepdim=True) + epsilon).sqrt() for one in (d, d0))
    count = d.numel() // root.numel()
    through = (w * (d + d0) / 2).sum(axes, keepdim=True) * (-1 / (root * root0 * (root + root0)))
    slope = w * (1 / root + 1 / root0) / 2 + through * (d + d0) / count
    return slope - slope.mean(axes, keepdim=True)
