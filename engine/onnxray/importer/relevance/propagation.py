"""A node's value as it is, and a rule in place of its derivative: relevance comes in, relevance goes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from onnxray.importer.relevance.rules import AlphaBeta, Epsilon, Gamma, LinearRule, Step, WSquare, ZBox

Tensors = tuple[torch.Tensor, ...]
Back = Callable[[Tensors, torch.Tensor, torch.Tensor], tuple[Sequence[torch.Tensor], torch.Tensor | None]]
"""(what the node reads, its value, R) -> the relevance of each that it reads, and what constants keep of it."""
Map = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]
"""A linear layer as a function of input, weight and bias."""


class RelevantLayer(nn.Module):
    """z = W x + b, and a rule in place of its derivative. ledger: to whose gradient it adds what biases keep.

    biases: whether the rule counts b among the summands.
    """

    def __init__(
        self, function: Map, weight: torch.Tensor, bias: torch.Tensor | None, axis: int, rule: LinearRule, *,
        biases: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.function, self.axis, self.rule, self.biases = function, axis, rule, biases
        self.register_buffer("weight", weight.detach(), persistent=False)
        self.register_buffer("bias", None if bias is None else bias.detach(), persistent=False)
        box = (rule.low.tensor(), rule.high.tensor()) if isinstance(rule, ZBox) else (None, None)
        self.register_buffer("low", box[0], persistent=False)
        self.register_buffer("high", box[1], persistent=False)

    weight: torch.Tensor
    bias: torch.Tensor | None
    low: torch.Tensor | None
    high: torch.Tensor | None

    def forward(self, ledger: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The layer's own value."""
        with torch.no_grad():
            value = self.function(x, self.weight, self.bias)
        return _Ruled.apply(self._back, value, ledger, x)  # type: ignore[no-any-return,no-untyped-call]

    def _back(self, reads: Tensors, value: torch.Tensor, relevance: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
        (x,), rule, w, b = reads, self.rule, self.weight, self.bias if self.biases else None
        if isinstance(rule, Epsilon):
            sums = value if self.biases else self.function(x, w, None)
            share = relevance / stabilized(sums, rule.epsilon)
            (slope,) = self._pulled([(x, w)], [share])
            return (x * slope,), self._kept(b, share)
        if isinstance(rule, Gamma):
            return self._signed(
                x, w + rule.gamma * w.clamp(min=0), w + rule.gamma * w.clamp(max=0),
                _plus(b, rule.gamma), _minus(b, rule.gamma),
                relevance * (value > 0), relevance * (value < 0), rule.stabilizer,
            )  # fmt: skip
        if isinstance(rule, AlphaBeta):
            against = -rule.beta * relevance if rule.beta else None
            return self._signed(
                x, w.clamp(min=0), w.clamp(max=0), None if b is None else b.clamp(min=0),
                None if b is None else b.clamp(max=0), rule.alpha * relevance, against, rule.stabilizer,
            )  # fmt: skip
        if isinstance(rule, ZBox):
            return self._boxed(x, relevance, rule.stabilizer)
        ones = torch.ones_like(x)
        weight = w * w if isinstance(rule, WSquare) else torch.ones_like(w)
        bias = b * b if isinstance(rule, WSquare) and b is not None else None
        share = relevance / stabilized(self.function(ones, weight, bias), rule.stabilizer)
        (slope,) = self._pulled([(ones, weight)], [share])
        return (slope,), self._kept(bias, share)

    def _signed(
        self, x: torch.Tensor, up: torch.Tensor, down: torch.Tensor, bias_up: torch.Tensor | None,
        bias_down: torch.Tensor | None, supporting: torch.Tensor, opposing: torch.Tensor | None, epsilon: float,
    ) -> tuple[Tensors, torch.Tensor]:  # fmt: skip
        """The two halves of AlphaBeta and Gamma: R for what adds to the sum, and for what takes from it."""
        above, below = x.clamp(min=0), x.clamp(max=0)
        total, kept = torch.zeros_like(x), x.new_zeros(())
        for relevance, first, second, bias in ((supporting, up, down, bias_up), (opposing, down, up, bias_down)):
            if relevance is None:
                continue
            sums = self.function(above, first, bias) + self.function(below, second, None)
            share = relevance / stabilized(sums, epsilon)
            slopes = self._pulled([(above, first), (below, second)], [share, share])
            total = total + above * slopes[0] + below * slopes[1]
            kept = kept + self._kept(bias, share)
        return (total,), kept

    def _boxed(self, x: torch.Tensor, relevance: torch.Tensor, epsilon: float) -> tuple[Tensors, torch.Tensor]:
        """The bias cancels: b - b^+ - b^- = 0."""
        assert self.low is not None
        assert self.high is not None
        low, high = (side.to(x).expand_as(x) for side in (self.low, self.high))
        up, down = self.weight.clamp(min=0), self.weight.clamp(max=0)
        sums = self.function(x, self.weight, None) - self.function(low, up, None) - self.function(high, down, None)
        share = relevance / stabilized(sums, epsilon)
        slopes = self._pulled([(x, self.weight), (low, up), (high, down)], [share] * 3)
        return (x * slopes[0] - low * slopes[1] - high * slopes[2],), x.new_zeros(())

    def _pulled(self, parts: list[tuple[torch.Tensor, torch.Tensor]], shares: list[torch.Tensor]) -> Tensors:
        """V^T c for every input and weights V, and its c."""
        with torch.enable_grad():
            leaves = [x.detach().requires_grad_() for x, _ in parts]
            sums = [self.function(leaf, weight, None) for leaf, (_, weight) in zip(leaves, parts)]
        return torch.autograd.grad(sums, leaves, shares)

    def _kept(self, bias: torch.Tensor | None, share: torch.Tensor) -> torch.Tensor:
        """sum b * c: the bias's own relevance."""
        if bias is None:
            return share.new_zeros(())
        along = [1] * share.ndim
        along[self.axis] = -1
        return (bias.reshape(along) * share).sum()


class RelevantNode(nn.Module):
    """A node's module and a rule in place of its derivative. places: where the receivers stand among its arguments."""

    def __init__(self, module: nn.Module, step: Step, places: tuple[int, ...]) -> None:
        super().__init__()
        self.module, self.step, self.places = module, step, places

    def forward(self, ledger: torch.Tensor, *arguments: Any, **named: Any) -> Any:
        """The node's own value."""
        with torch.no_grad():
            result = self.module(*arguments, **named)
        value, rest = (result[0], tuple(result[1:])) if isinstance(result, tuple | list) else (result, None)

        def back(reads: Tensors, value: torch.Tensor, relevance: torch.Tensor) -> tuple[Tensors, torch.Tensor | None]:
            return self._back(reads, value, relevance, arguments, named)

        ruled = _Ruled.apply(back, value, ledger, *(arguments[k] for k in self.places))  # type: ignore[no-untyped-call]
        return ruled if rest is None else (ruled, *rest)

    def _back(
        self, reads: Tensors, value: torch.Tensor, relevance: torch.Tensor, arguments: tuple[Any, ...],
        named: dict[str, Any],
    ) -> tuple[Tensors, torch.Tensor | None]:  # fmt: skip
        step = self.step
        if step.kind in {"pass", "equal"}:
            share = relevance / len(reads)
            return tuple(_summed(share, x) for x in reads), None
        if step.kind == "softmax":
            (x,) = reads
            axes = softmax_axes(x, step.axis, step.onwards)
            scaled = x * (relevance - value * relevance.sum(axes, keepdim=True))
            return (torch.where(x.isfinite(), scaled, 0),), None  # what is masked is minus infinity
        with torch.enable_grad():
            leaves = tuple(x.detach().requires_grad_() for x in reads)
            filled = list(arguments)
            for place, leaf in zip(self.places, leaves):
                filled[place] = leaf
            again = self.module(*filled, **named)
        share = relevance / stabilized(step.parts * value, step.stabilizer)
        slopes = torch.autograd.grad(again, leaves, share)
        found = tuple(x * slope for x, slope in zip(reads, slopes))
        kept = relevance.sum() - torch.stack([part.sum() for part in found]).sum()
        return found, kept if step.absorbs else None


class _Ruled(torch.autograd.Function):
    """value; what comes to the values that were read is by the rule."""

    @staticmethod
    def forward(ctx: Any, back: Back, value: torch.Tensor, *reads: torch.Tensor) -> torch.Tensor:
        """Keep what the rule needs; the first of ``reads`` is the ledger."""
        ctx.back = back
        ctx.save_for_backward(value, *reads[1:])
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> tuple[Any, ...]:
        """The rule."""
        value, *reads = ctx.saved_tensors
        found, kept = ctx.back(tuple(reads), value, relevance[0])
        return (None, None, kept, *found)


def stabilized(z: torch.Tensor, epsilon: float) -> torch.Tensor:
    """z + epsilon sign(z), sign(0) = 1; of no epsilon 1 in place of 0, where there is nothing to share out."""
    return z + torch.where(z < 0, -epsilon, epsilon) if epsilon else torch.where(z == 0, 1, z)


def softmax_axes(x: torch.Tensor, axis: int, onwards: bool) -> tuple[int, ...]:
    """The axes that a softmax sums over."""
    return tuple(range(axis % x.ndim, x.ndim)) if onwards else (axis,)


def _plus(bias: torch.Tensor | None, gamma: float) -> torch.Tensor | None:
    return None if bias is None else bias + gamma * bias.clamp(min=0)


def _minus(bias: torch.Tensor | None, gamma: float) -> torch.Tensor | None:
    return None if bias is None else bias + gamma * bias.clamp(max=0)


def _summed(relevance: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Of what was broadcast, all copies' together; of what changed its shape alone (a reduction of one), as it is."""
    return relevance.sum_to_size(x.shape)
