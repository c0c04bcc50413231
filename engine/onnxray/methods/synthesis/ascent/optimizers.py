"""How an ascent steps: frozen settings that build what moves the parameters, ours or torch's L-BFGS.

Ours leave out what torch.optim does about every step: for one image that takes as long as the arithmetic.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch

Parameters = list[torch.Tensor]
Closure = Callable[[], Any]
Schedule = tuple[tuple[float, int], ...]


class Steps(Protocol):
    """What torch's optimisers and ours have in common."""

    param_groups: list[dict[str, Any]]

    def step(self, closure: Closure) -> Any:
        """Evaluate, once or more often, and move every parameter by its gradient."""


class Optimizer(ABC):
    """Settings. What is minimised is the negative objective."""

    @abstractmethod
    def build(self, parameters: Parameters) -> Steps:
        """An optimiser of these parameters, with its state."""

    def rate(self, step: int, steps: int) -> float | None:
        """The learning rate of a step, where it changes; None keeps what it was built with."""
        return None


@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """Kingma & Ba 2014; lucid uses a rate of 0.05 on its Fourier coefficients.

    ``final``: the rate falls to it over the run along half a cosine (Loshchilov & Hutter 2017); None keeps the rate.
    """

    learning_rate: float = 0.05
    final: float | None = None

    def build(self, parameters: Parameters) -> Steps:
        """Our own, bit for bit torch's."""
        return _Adam(parameters, {"lr": self.learning_rate})

    def rate(self, step: int, steps: int) -> float | None:
        """final + (first - final) (1 + cos(pi step / steps)) / 2."""
        if self.final is None:
            return None
        return self.final + (self.learning_rate - self.final) * (1 + math.cos(math.pi * step / steps)) / 2


class _Stepping(ABC):
    """One of ours: the closure, and every parameter in turn."""

    def __init__(self, parameters: Parameters, settings: dict[str, Any]) -> None:
        self.param_groups = [{"params": parameters, **settings}]
        self.state: dict[torch.Tensor, dict[str, Any]] = {x: {} for x in parameters}

    def step(self, closure: Closure) -> Any:
        """Evaluate, then move every parameter by its gradient."""
        with torch.enable_grad():
            loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                for x in group["params"]:
                    self.move(x, x.grad, group)
        return loss

    @abstractmethod
    def move(self, x: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        """Move one parameter by its gradient, in place."""


class _Adam(_Stepping):
    def move(self, x: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        """One step."""
        state, (memory, square_memory) = self.state[x], (0.9, 0.999)
        if not state:
            state.update(step=0, mean=torch.zeros_like(x), square=torch.zeros_like(x), size=torch.empty_like(x))
        state["step"] += 1
        rest, square_rest = 1 - memory ** state["step"], 1 - square_memory ** state["step"]
        state["mean"].lerp_(gradient, 1 - memory)
        state["square"].mul_(square_memory).addcmul_(gradient, gradient, value=1 - square_memory)
        size = torch.sqrt(state["square"], out=state["size"]).div_(square_rest**0.5).add_(1e-8)
        x.addcdiv_(state["mean"], size, value=-group["lr"] / rest)


@dataclass(frozen=True, kw_only=True)
class Momentum(Optimizer):
    """m <- mu m - lr g, x <- x + m; ``schedule``: (rate, steps) one after the other, m = 0 wherever the rate changes.

    Mahendran & Vedaldi 2015, deep-goggle.
    """

    schedule: Schedule
    momentum: float = 0.9

    def build(self, parameters: Parameters) -> Steps:
        """Our own: torch's SGD scales what was moved before by the new rate."""
        return _Momentum(parameters, {"lr": self.schedule[0][0], "momentum": self.momentum})

    def rate(self, step: int, steps: int) -> float:
        """The rate of the stretch that the step is in."""
        return staged_rate(self.schedule, step)


class _Momentum(_Stepping):
    def move(self, x: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        """One step."""
        state = self.state[x]
        if state.get("rate") != group["lr"]:
            state["rate"], state["moved"] = group["lr"], torch.zeros_like(x)
        state["moved"].mul_(group["momentum"]).sub_(group["lr"] * gradient)
        x.add_(state["moved"])


def staged_rate(schedule: Schedule, step: int) -> float:
    """The rate of the stretch of ``schedule`` that a step is in; the last one's beyond its end."""
    for rate, count in schedule:
        if step < count:
            return rate
        step -= count
    return schedule[-1][0]


@dataclass(frozen=True, kw_only=True)
class Normalized(Optimizer):
    """x <- x + step * g / |g|, image by image; |g| the mean of |g| (DeepDream, MFV, DGN-AM), max |g| (LOTS) or L2.

    A rate falls or grows linearly from ``start`` to ``end`` over the run. An image whose gradient is zero stays.
    """

    start: float = 1.5
    end: float = 1.5
    norm: str = "mean"

    def build(self, parameters: Parameters) -> Steps:
        """Our own."""
        return _Normalized(parameters, {"lr": self.start, "norm": self.norm})

    def rate(self, step: int, steps: int) -> float:
        """Linear in the step."""
        return self.start + (self.end - self.start) * step / max(1, steps - 1)


class _Normalized(_Stepping):
    def move(self, x: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        """One step."""
        flat = gradient.flatten(1).abs()
        size = {"mean": flat.mean(1), "max": flat.amax(1), "l2": flat.square().sum(1).sqrt()}[group["norm"]]
        size = torch.where(size > 0, size, torch.inf)
        x.sub_(group["lr"] * gradient / size.reshape(-1, *(1,) * (x.ndim - 1)))


@dataclass(frozen=True, kw_only=True)
class DecayingAdaGrad(Optimizer):
    """G <- 0.9 G + g^2; m <- 0.9 m - g / (1 / lr + sqrt(G)); x <- x + m (Mahendran & Vedaldi 2016, nnpreimage)."""

    schedule: Schedule
    memory: float = 0.9
    momentum: float = 0.9

    def build(self, parameters: Parameters) -> Steps:
        """Our own."""
        settings = {"lr": self.schedule[0][0], "memory": self.memory, "momentum": self.momentum}
        return _DecayingAdaGrad(parameters, settings)

    def rate(self, step: int, steps: int) -> float:
        """The rate of the stretch that the step is in."""
        return staged_rate(self.schedule, step)


class _DecayingAdaGrad(_Stepping):
    def move(self, x: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        """One step."""
        state = self.state[x]
        if not state:
            state["squares"], state["moved"] = torch.zeros_like(x), torch.zeros_like(x)
        state["squares"].mul_(group["memory"]).addcmul_(gradient, gradient)
        state["moved"].mul_(group["momentum"]).sub_(gradient / (1 / group["lr"] + state["squares"].sqrt()))
        x.add_(state["moved"])


@dataclass(frozen=True, kw_only=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS with a strong Wolfe line search; a step is up to ``evaluations`` evaluations (Gatys 2015)."""

    evaluations: int = 20

    def build(self, parameters: Parameters) -> Steps:
        """torch's LBFGS."""
        return torch.optim.LBFGS(
            parameters, lr=1.0, max_iter=self.evaluations, max_eval=self.evaluations, history_size=20,
            tolerance_grad=0.0, tolerance_change=0.0, line_search_fn="strong_wolfe",
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Progress(Optimizer):
    """x <- x + min(most, desired / ||g||^2) g, image by image: a step that promises ``desired`` (Yosinski et al. 2015).

    An image whose gradient is zero stays.
    """

    most: float
    desired: float = 2.0

    def build(self, parameters: Parameters) -> Steps:
        """Our own."""
        return _Progress(parameters, {"lr": self.most, "desired": self.desired})


class _Progress(_Stepping):
    def move(self, x: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        """One step."""
        rate = (group["desired"] / gradient.flatten(1).square().sum(1)).clamp(max=group["lr"])
        x.sub_(rate.reshape(-1, *(1,) * (x.ndim - 1)) * gradient)
