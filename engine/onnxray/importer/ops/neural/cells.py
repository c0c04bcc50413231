"""One step of an RNN, a GRU and an LSTM, and the activation functions that the standard lets them use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

Activation = Callable[[torch.Tensor], torch.Tensor]
State = tuple[torch.Tensor, ...]
"""The hidden state, and for an LSTM the cell state."""

NEEDS = {"affine": 2, "scaledtanh": 2, "hardsigmoid": 2, "leakyrelu": 1, "thresholdedrelu": 1, "elu": 1}
"""Activation -> how many of alpha and beta it reads."""
DEFAULTS = {"hardsigmoid": (0.2, 0.5), "leakyrelu": (0.01, 0.0), "elu": (1.0, 0.0)}


def activation(name: str, alpha: float, beta: float) -> Activation | None:
    """The function of that (lower-case) name."""
    found: dict[str, Activation] = {
        "relu": torch.relu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "affine": lambda x: alpha * x + beta,
        "leakyrelu": lambda x: functional.leaky_relu(x, alpha),
        "thresholdedrelu": lambda x: torch.where(x > alpha, x, 0),
        "scaledtanh": lambda x: alpha * torch.tanh(beta * x),
        "hardsigmoid": lambda x: torch.clamp(alpha * x + beta, 0, 1),
        "elu": lambda x: functional.elu(x, alpha),
        "softsign": functional.softsign,
        "softplus": functional.softplus,
    }
    return found.get(name)


@dataclass(frozen=True, slots=True)
class Cell:
    """A direction's activation functions and what else its steps need."""

    functions: tuple[Activation, ...]
    clip: float | None
    linear_before_reset: bool = False
    input_forget: bool = False

    def act(self, index: int, x: torch.Tensor) -> torch.Tensor:
        """An activation function, of an input within the clip."""
        return self.functions[index](x if self.clip is None else x.clamp(-self.clip, self.clip))


Step = Callable[[Cell, torch.Tensor, State, torch.Tensor, torch.Tensor, "torch.Tensor | None"], State]
"""(cell, input part of the gates, state, recurrence weights, recurrence bias, peepholes) -> next state."""


def rnn_step(
    cell: Cell, gates: torch.Tensor, state: State, r: torch.Tensor, bias: torch.Tensor, _: torch.Tensor | None
) -> State:
    """H' = f(X W + H R + b)."""
    return (cell.act(0, gates + state[0] @ r.t() + bias),)


def gru_step(
    cell: Cell, gates: torch.Tensor, state: State, r: torch.Tensor, bias: torch.Tensor, _: torch.Tensor | None
) -> State:
    """z, r = f(...); h = g(...); H' = (1 - z) h + z H."""
    h = state[0]
    size = h.shape[-1]
    both = gates[:, : 2 * size] + h @ r[: 2 * size].t() + bias[: 2 * size]
    z, reset = cell.act(0, both).chunk(2, dim=-1)
    if cell.linear_before_reset:
        recurrent = reset * (h @ r[2 * size :].t() + bias[2 * size :])
    else:
        recurrent = (reset * h) @ r[2 * size :].t() + bias[2 * size :]
    return ((1 - z) * cell.act(1, gates[:, 2 * size :] + recurrent) + z * h,)


def lstm_step(
    cell: Cell, gates: torch.Tensor, state: State, r: torch.Tensor, bias: torch.Tensor, p: torch.Tensor | None
) -> State:
    """i, o, f = f(...); C' = f C + i g(...); H' = o h(C'). Peepholes show C to the gates; h is not clipped."""
    h, c = state
    return lstm_state(cell, gates + h @ r.t() + bias, c, p)


def lstm_state(cell: Cell, gates: torch.Tensor, c: torch.Tensor, p: torch.Tensor | None) -> State:
    """The same from all that goes into the gates."""
    i, o, f, g = gates.chunk(4, dim=-1)
    p_i, p_o, p_f = p.chunk(3) if p is not None else (None, None, None)
    i = cell.act(0, i if p_i is None else i + p_i * c)
    f = 1 - i if cell.input_forget else cell.act(0, f if p_f is None else f + p_f * c)
    new = f * c + i * cell.act(1, g)
    o = cell.act(0, o if p_o is None else o + p_o * new)
    return o * cell.functions[2](new), new
