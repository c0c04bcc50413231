"""Backward rules: how the gradient passes a rectifier, by which guided backpropagation and the deconvnet differ.

    plain       R = f'(x) * g            guided (Springenberg et al. 2015)   R = f'(x) * max(g, 0)
                                         deconvnet (Zeiler & Fergus 2014)    R = max(g, 0)
    redirected (lucid)   R = g where f(x) = x; of a sample for which that is 0 throughout,
                         R = g also where a step against g takes x back: f(x) > x and g < 0, f(x) < x and g > 0

g is the gradient of the rectifier's output, x its input, f' its own derivative; ``redirected`` takes g for the gradient
of a loss, which is descended. A rule is part of a cut: the forward
pass is the same to the bit, nothing is hooked, and other cuts of the same model are as they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from onnxray.graph.facts import Node

RECTIFIERS = ("Relu", "Clip", "LeakyRelu", "PRelu")
"""The operators that a rule may be asked for; Clip stands for Relu6 too."""


@dataclass(frozen=True)
class BackwardRules:
    """What replaces the derivative of the rectifiers named in ``operators``."""

    rectifier: Literal["plain", "guided", "deconvnet", "redirected"] = "plain"
    operators: frozenset[str] = frozenset({"Relu"})

    @property
    def by_row(self) -> bool:
        """Whether what a number lets through depends on the others of its row along axis 0."""
        return self.rectifier == "redirected"

    def changes(self, node: Node) -> bool:
        """Whether the node's derivative is replaced."""
        return self.rectifier != "plain" and not node.domain and node.operator in self.operators

    def applied(self, node: Node, module: nn.Module) -> nn.Module:
        """The module that stands for ``node`` under these rules."""
        if not self.changes(node):
            return module
        if self.rectifier == "guided":
            return _Guided(module)
        return _Replaced(module, _Redirected if self.rectifier == "redirected" else _Through)


PLAIN = BackwardRules()
REDIRECTED = BackwardRules("redirected", frozenset({"Relu", "Clip"}))


class _Guided(nn.Module):
    """A rectifier as it is, to whose output the positive part of the gradient comes."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor, *others: Any, **named: Any) -> torch.Tensor:
        """The rectifier's own value."""
        return _Positive.apply(self.module(x, *others, **named))  # type: ignore[no-any-return,no-untyped-call]


class _Replaced(nn.Module):
    """A rectifier whose value is its own, and whose derivative is ``derivative``'s."""

    def __init__(self, module: nn.Module, derivative: type[_OwnValue]) -> None:
        super().__init__()
        self.module = module
        self.derivative = derivative

    def forward(self, x: torch.Tensor, *others: Any, **named: Any) -> torch.Tensor:
        """The rectifier's own value."""
        with torch.no_grad():
            value = self.module(x, *others, **named)
        return self.derivative.apply(x, value)  # type: ignore[no-any-return,no-untyped-call]


class _Positive(torch.autograd.Function):
    """value; its gradient max(g, 0)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(value: torch.Tensor) -> torch.Tensor:
        return value.view_as(value)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept."""

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0].clamp(min=0)


class _OwnValue(torch.autograd.Function):
    """value; what comes to x is a subclass's."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return value.view_as(value)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept."""


class _Through(_OwnValue):
    """value; to x goes max(g, 0)."""

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0].clamp(min=0), None


class _Redirected(_OwnValue):
    """value; to x goes g where value = x, and what takes x back where a sample gets none."""

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Which way each number was cut off: 1 raised, -1 lowered, 0 let through."""
        x, value = inputs
        ctx.save_for_backward((value - x).sign())

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (cut,) = ctx.saved_tensors
        g = gradients[0]
        own = torch.where(cut == 0, g, 0)
        if g.ndim < 2:
            return own, None
        dead = (own == 0).flatten(1).all(1).reshape(-1, *(1,) * (g.ndim - 1))
        return torch.where(dead & (cut * g < 0), g, own), None
