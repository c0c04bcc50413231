"""DynamicQuantizeLSTM: an LSTM whose products are of 8 bits, its inputs and states quantised by their own range.

    i, o, f, g = Q(X) Wq s_X s_W + Q(H) Rq s_H s_R + b,   Q(A) = round(A / s_A) + z_A,   s_A = (max A - min A) / 255

X is quantised once for all steps, H at every step; the sums are exact. ONNX Runtime cuts the rows of H into as many
parts as it has threads, and quantises each by its own range. No gradient is given: what rounding at every step does to
one adds up over the steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from onnxray.errors import NotDifferentiable
from onnxray.importer.nodes.integers_as_floats import MICROSOFT
from onnxray.importer.nodes.scope import Converted, Converters, Scope
from onnxray.importer.nodes.threads import threads_of
from onnxray.importer.ops.neural.cells import Cell, State, lstm_state
from onnxray.importer.ops.neural.recurrent import Recurrent, read_cells
from onnxray.importer.ops.quantised.integer_products import shifted
from onnxray.importer.ops.quantised.quantization import DynamicQuantize

OPERATOR = "DynamicQuantizeLSTM"
_NARROW = 256
_FEW = 4


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A direction's weights, (inputs, gates), less their zero point, and their scale: of all, or of each gate."""

    weights: torch.Tensor
    scale: torch.Tensor

    def product(self, quantize: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """x quantised by its own range, times the weights."""
        whole, scale, zero = quantize(x)
        product: torch.Tensor = ((whole - zero.to(whole)).double() @ self.weights).to(x) * (scale * self.scale)
        return product


class QuantizedLSTM(Recurrent):
    """The layer of one or two directions. said: why no gradient is given."""

    def __init__(self, cells: tuple[Cell, ...], direction: str, threads: int, said: str) -> None:
        super().__init__("LSTM", cells, direction, by_batch=False, fused=False)
        self.threads, self.said = threads, said
        self.quantize = DynamicQuantize(carried=True)
        self.step = self._step

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
        w_scale: torch.Tensor | None = None,
        w_zero: torch.Tensor | None = None,
        r_scale: torch.Tensor | None = None,
        r_zero: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, ...]:
        """Run all directions; what a gradient would flow through ends in its refusal."""
        assert w_scale is not None
        assert r_scale is not None
        with torch.no_grad():
            longest = len(x) if lengths is None else int(lengths.max())
            zeros = x.new_zeros(len(self.cells), x.shape[1], r.shape[1])
            initial = tuple(zeros if part is None else part for part in (initial_h, initial_c))
            biases = x.new_zeros(len(w), 2 * w.shape[-1]) if b is None else b
            factors = (_factors(w, w_scale, w_zero), _factors(r, r_scale, r_zero))
            y, last = self.by_steps(x[:longest], *factors, biases, lengths, initial, p)
            y = functional.pad(y, (0, 0) * (y.ndim - 1) + (0, len(x) - longest))
        read = [part for part in (x, initial_h, initial_c) if part is not None]
        given: tuple[torch.Tensor, ...] = _Refused.apply(self.said, 1 + len(last), y, *last, *read)  # type: ignore[no-untyped-call]
        return given

    def gates_of(self, x: torch.Tensor, w: Any) -> torch.Tensor:
        """The inputs of all steps, quantised together."""
        factor: Factor = w
        return factor.product(self.quantize, x)

    def _step(
        self, cell: Cell, gates: torch.Tensor, state: State, r: Any, bias: torch.Tensor, p: torch.Tensor | None
    ) -> State:
        h, c = state
        factor: Factor = r
        rows, size = h.shape
        parallel = rows > _FEW or (rows > 1 and size <= _NARROW)
        parts = torch.split(h, -(-rows // self.threads) if parallel else rows)
        recurrent = torch.cat([factor.product(self.quantize, part) for part in parts])
        return lstm_state(cell, gates + recurrent + bias, c, p)


class _Refused(torch.autograd.Function):
    """Values as they are, through which no gradient passes: the backward pass says why."""

    @staticmethod
    def forward(ctx: Any, said: str, count: int, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The first ``count`` tensors; the others are what they were computed from."""
        ctx.said = said
        return tuple(tensor.clone() for tensor in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *_: torch.Tensor) -> tuple[None, ...]:
        """Refuse. Errors: NotDifferentiable."""
        raise NotDifferentiable(ctx.said)


def _factors(weights: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | None) -> list[Factor]:
    """A factor for each direction, whose scale and zero point are one number, or one for each gate."""
    found = []
    for direction, own in enumerate(weights):
        point = None if zero is None else zero[direction]
        found.append(Factor(shifted(own, point).double(), scale[direction]))
    return found


def _quantized_lstm(scope: Scope) -> Converted:
    direction, cells, _ = read_cells(scope, "LSTM")
    behind = next(filter(None, scope.node.outputs))
    said = (
        f"node {scope.node.name!r} ({OPERATOR}) rounds its state at every step, and no gradient through it is given; "
        f"predictions, values, occlusion and RISE need none, and those at what it gives are: wrt {behind!r}"
    )
    module = QuantizedLSTM(cells, direction, scope.graph.once(threads_of), said)
    return Converted(module, scope.node.inputs, several=True)


CONVERTERS: Converters = {(MICROSOFT, OPERATOR, 1): _quantized_lstm}
