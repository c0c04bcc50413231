"""A constant of the file while it is trained: what is stepped, what the network computes with, what is written back.

float32, float64   all three are the same numbers
float16, bfloat16  m in float32 is stepped; the network computes with p = round(m)
whole numbers      q = clip(round(m / s) + z), p = (q - z) s: m in float32 is stepped, the scale s and the zero point
                   z are the file's own; d loss / d m = d loss / d p where q is not clipped (straight through)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.facts import Graph
from onnxray.graph.node_attributes import attribute, constant
from onnxray.graph.trainable.listing import Constant
from onnxray.importer.nodes.weights import numpy_array


@dataclass(frozen=True, eq=False)
class Grid:
    """The whole numbers that stand for real ones: q in [low, high], real = (q - zero) * scale, both broadcast."""

    scale: torch.Tensor
    zero: torch.Tensor
    low: int
    high: int
    dtype: np.dtype[np.generic]

    def on(self, device: torch.device) -> Grid:
        """The same on a device."""
        return replace(self, scale=self.scale.to(device), zero=self.zero.to(device))

    def whole(self, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The nearest whole numbers, in float64, and where they were not clipped."""
        q = torch.round(real.double() / self.scale) + self.zero
        return q.clamp(self.low, self.high), (q >= self.low) & (q <= self.high)

    def real(self, whole: torch.Tensor) -> torch.Tensor:
        """What they stand for."""
        return ((whole - self.zero) * self.scale).float()


@dataclass(frozen=True, eq=False)
class Master:
    """One constant. computed: the Parameter that the network reads; stepped: the one that an optimiser has."""

    constant: Constant
    computed: nn.Parameter
    stepped: nn.Parameter
    grid: Grid | None = None

    def take_gradient(self) -> None:
        """Hand the gradient of what is computed with to what is stepped."""
        if self.stepped is self.computed or self.computed.grad is None:
            return
        gradient = self.computed.grad.float()
        if self.grid is not None:
            gradient = gradient * self.grid.whole(self.stepped.detach())[1]
        self.stepped.grad = gradient
        self.computed.grad = None

    @torch.no_grad()
    def round(self) -> None:
        """Let the network compute with what would be written now."""
        if self.stepped is self.computed:
            return
        if self.grid is None:
            self.computed.copy_(self.stepped.to(self.computed.dtype))
        else:
            self.computed.copy_(self.grid.real(self.grid.whole(self.stepped)[0]))

    def stored(self) -> Array:
        """The numbers as the file holds them."""
        if self.grid is not None:
            whole = self.grid.whole(self.stepped.detach())[0].cpu().numpy()
            return whole.astype(self.grid.dtype).reshape(self.constant.shape)
        return as_stored(self.computed)


def as_stored(tensor: torch.Tensor) -> Array:
    """A tensor's numbers in their own type, bfloat16 too, as a copy."""
    if tensor.dtype != torch.bfloat16:
        return np.array(numpy_array(tensor))
    import ml_dtypes

    bits = tensor.detach().cpu().contiguous().view(torch.int16).numpy()
    return np.array(bits.view(ml_dtypes.bfloat16))


def masters(graph: Graph, constants: Sequence[Constant], tensor: Callable[[str], torch.Tensor]) -> Iterator[Master]:
    """Of each constant. tensor: the Parameter by the name of what the network computes with.

    Errors: InputError for numbers that are no numbers.
    """
    for one in constants:
        computed = tensor(one.real)
        assert isinstance(computed, nn.Parameter)
        if not bool(torch.isfinite(computed).all()):
            raise InputError(f"the constant {short(one.name)} holds NaN or infinity; leave it as it is: --freeze")
        grid = _grid(graph, one)[0].on(computed.device) if one.quantised else None
        if grid is not None or computed.dtype in {torch.float16, torch.bfloat16}:
            yield Master(one, computed, nn.Parameter(computed.detach().float().clone()), grid)
        else:
            yield Master(one, computed, computed)


def dequantised(graph: Graph, one: Constant) -> Array:
    """The real numbers that a quantised constant stands for, of its scale's type. Errors: as ``masters``."""
    grid, dtype = _grid(graph, one)
    whole = constant(graph, one.name)
    assert whole is not None
    return grid.real(torch.from_numpy(whole.astype(np.float64))).numpy().astype(dtype)


def _grid(graph: Graph, one: Constant) -> tuple[Grid, np.dtype[np.generic]]:
    """What DequantizeLinear states of it, and the type that it gives. Errors: InputError for blocks of numbers."""
    node = graph.producer_of[one.real]
    scale = constant(graph, node.inputs[1])
    zero = constant(graph, node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    assert scale is not None
    if attribute(node, "block_size", 0):
        raise InputError(f"{short(one.name)} is quantised in blocks, which is not trained; leave it: --freeze")
    shape = [1] * len(one.shape)
    if scale.size > 1:
        axis = int(attribute(node, "axis", 1)) % max(1, len(one.shape))
        shape[axis] = scale.size
    limits = np.iinfo(one.dtype)
    zeros = np.zeros(scale.shape, np.float64) if zero is None else zero.astype(np.float64)
    grid = Grid(
        torch.from_numpy(scale.astype(np.float64).reshape(shape)), torch.from_numpy(zeros.reshape(shape)),
        int(limits.min), int(limits.max), np.dtype(one.dtype),
    )  # fmt: skip
    return grid, scale.dtype
