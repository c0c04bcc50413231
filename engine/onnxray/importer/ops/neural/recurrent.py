"""RNN, GRU and LSTM, all versions: GRU-3 added linear_before_reset, 14 the layout; 1's output_sequence is not needed.

With the default activations and nothing unusual torch's own fused loops compute them, else a loop over the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.ops.neural.cells import (
    DEFAULTS,
    NEEDS,
    Activation,
    Cell,
    State,
    Step,
    activation,
    gru_step,
    lstm_step,
    rnn_step,
)

_STEPS: dict[str, Step] = {"RNN": rnn_step, "GRU": gru_step, "LSTM": lstm_step}
_ACTIVATIONS = {"RNN": ("tanh",), "GRU": ("sigmoid", "tanh"), "LSTM": ("sigmoid", "tanh", "tanh")}
_TORCH_ORDER = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}
"""Torch's gates, counted in ONNX' order."""


class Recurrent(nn.Module):
    """A recurrent layer of one or two directions: Y of all steps, Y_h (and Y_c) of the last.

    Beyond a sequence's length Y is 0 and the state stays; the reverse direction begins at a sequence's own end.
    """

    def __init__(self, operator: str, cells: tuple[Cell, ...], direction: str, by_batch: bool, fused: bool) -> None:
        super().__init__()
        self.operator, self.step, self.cells = operator, _STEPS[operator], cells
        self.direction, self.by_batch, self.fused = direction, by_batch, fused

    def forward(
        self,
        x: torch.Tensor,
        w: torch.Tensor,
        r: torch.Tensor,
        b: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
        initial_h: torch.Tensor | None = None,
        initial_c: torch.Tensor | None = None,
        p: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, ...]:
        """Run all directions."""
        if self.by_batch:
            x = x.transpose(0, 1)
            initial_h = None if initial_h is None else initial_h.transpose(0, 1)
            initial_c = None if initial_c is None else initial_c.transpose(0, 1)
        zeros = x.new_zeros(len(self.cells), x.shape[1], r.shape[-1])
        initial: State = (zeros if initial_h is None else initial_h,)
        if self.operator == "LSTM":
            initial += (zeros if initial_c is None else initial_c,)
        if self.fused and lengths is None and p is None and x.shape[0] > 0:
            y, last = self._by_torch(x, w, r, b, initial)
        else:
            biases = x.new_zeros(len(w), 2 * w.shape[1]) if b is None else b
            y, last = self.by_steps(x, w.unbind(), r.unbind(), biases, lengths, initial, p)
        if self.by_batch:
            y, last = y.permute(2, 0, 1, 3), tuple(state.transpose(0, 1) for state in last)
        return y, *last

    def _by_torch(
        self, x: torch.Tensor, w: torch.Tensor, r: torch.Tensor, b: torch.Tensor | None, initial: State
    ) -> tuple[torch.Tensor, State]:
        parameters = []
        for direction in range(len(self.cells)):
            parameters += [self._ordered(w[direction]), self._ordered(r[direction])]
            if b is not None:
                parameters += [self._ordered(half) for half in b[direction].chunk(2)]
        options = (b is not None, 1, 0.0, False, len(self.cells) == 2, False)
        if self.direction == "reverse":
            x = x.flip(0)
        if self.operator == "LSTM":
            y, *last = torch.lstm(x, initial, parameters, *options)
        else:
            run = torch.gru if self.operator == "GRU" else torch.rnn_tanh
            y, *last = run(x, initial[0], parameters, *options)
        y = y.flip(0) if self.direction == "reverse" else y
        return y.reshape(*y.shape[:2], len(self.cells), -1).transpose(1, 2), tuple(last)

    def _ordered(self, gates: torch.Tensor) -> torch.Tensor:
        order = _TORCH_ORDER[self.operator]
        parts = gates.chunk(len(order))
        return torch.cat([parts[gate] for gate in order]) if len(order) > 1 else gates

    def gates_of(self, x: torch.Tensor, w: Any) -> torch.Tensor:
        """What the inputs of all steps give to the gates."""
        product: torch.Tensor = x @ w.t()
        return product

    def by_steps(
        self,
        x: torch.Tensor,
        w: Sequence[Any],
        r: Sequence[Any],
        b: torch.Tensor,
        lengths: torch.Tensor | None,
        initial: State,
        p: torch.Tensor | None,
    ) -> tuple[torch.Tensor, State]:
        """A loop over the steps. w, r: of each direction, as ``gates_of`` and the step take them."""
        ys, lasts = [], []
        for index, cell in enumerate(self.cells):
            backwards = self.direction == "reverse" or index == 1
            w_bias, r_bias = b[index].chunk(2)
            gates = self.gates_of(x, w[index]) + w_bias
            state: State = tuple(part[index] for part in initial)
            outputs: dict[int, torch.Tensor] = {}
            for t in reversed(range(len(x))) if backwards else range(len(x)):
                new = self.step(cell, gates[t], state, r[index], r_bias, None if p is None else p[index])
                if lengths is None:
                    state, outputs[t] = new, new[0]
                    continue
                running = (t < lengths).unsqueeze(1)
                state = tuple(torch.where(running, after, before) for after, before in zip(new, state))
                outputs[t] = torch.where(running, new[0], 0)
            ys.append(torch.stack([outputs[t] for t in range(len(x))]))
            lasts.append(state)
        return torch.stack(ys, dim=1), tuple(torch.stack(parts) for parts in zip(*lasts))


def _recurrent(scope: Scope) -> Converted:
    operator = scope.node.operator
    direction, cells, plain = read_cells(scope, operator)
    module = Recurrent(operator, cells, direction, bool(scope.attributes.get("layout", 0)), plain)
    return Converted(module, scope.node.inputs, several=True)


def read_cells(scope: Scope, operator: str) -> tuple[str, tuple[Cell, ...], bool]:
    """The direction of a node that computes ``operator``, a cell for each, and whether torch's own loops do."""
    get = scope.attributes.get
    direction = get("direction", "forward")
    direction = "forward" if direction == "foward" else direction  # GRU-1's default, as the standard spells it
    if direction not in {"forward", "reverse", "bidirectional"}:
        raise scope.refuse(f"its direction is {direction!r}; forward, reverse and bidirectional are known")
    count = 2 if direction == "bidirectional" else 1
    defaults = _ACTIVATIONS[operator]
    names = [_text(name).lower() for name in get("activations") or ()] or list(defaults) * count
    if len(names) > count * len(defaults) and operator == "RNN":
        names = names[:count]  # the standard's own default names two, for either number of directions
    if len(names) != count * len(defaults):
        raise scope.refuse(f"it names {len(names)} activations; {count * len(defaults)} were expected")
    functions, clip = _functions(scope, names), get("clip")
    before, coupled = bool(get("linear_before_reset", 0)), bool(get("input_forget", 0))
    cells = tuple(
        Cell(tuple(functions[k : k + len(defaults)]), None if clip is None else float(clip), before, coupled)
        for k in range(0, len(functions), len(defaults))
    )
    plain = names == list(defaults) * count and clip is None and not coupled and (before or operator != "GRU")
    return direction, cells, plain


def _functions(scope: Scope, names: list[str]) -> list[Activation]:
    """The activation functions; alphas and betas are used up in order by those that read one."""
    alphas, betas = (
        list(scope.attributes.get("activation_alpha", ())),
        list(scope.attributes.get("activation_beta", ())),
    )
    functions = []
    for name in names:
        needs = NEEDS.get(name, 0)
        given = (alphas if needs > 0 else None, betas if needs > 1 else None)
        if name not in DEFAULTS and any(values is not None and not values for values in given):
            raise scope.refuse(f"its activation {name!r} has no alpha or beta, for which there is no default")
        defaults = DEFAULTS.get(name, (1.0, 0.0))
        alpha, beta = (float(values.pop(0)) if values else default for values, default in zip(given, defaults))
        function = activation(name, alpha, beta)
        if function is None:
            raise scope.refuse(f"its activation {name!r} is not one that the standard knows")
        functions.append(function)
    return functions


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name


CONVERTERS: Converters = {
    **for_versions("RNN", (1, 7, 14, 22), _recurrent),
    **for_versions("GRU", (1, 3, 7, 14, 22), _recurrent),
    **for_versions("LSTM", (1, 7, 14, 22), _recurrent),
}
