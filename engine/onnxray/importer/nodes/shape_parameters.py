"""Inputs that are parameters (axes, shapes, sizes): read at conversion where constant, else taken by ``forward``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from onnxray.errors import UnsupportedOperator
from onnxray.importer.nodes.scope import Scope

_BITS: Mapping[torch.dtype, torch.dtype] = {
    torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64,
    torch.float8_e4m3fn: torch.uint8, torch.float8_e5m2: torch.uint8,
    torch.float8_e4m3fnuz: torch.uint8, torch.float8_e5m2fnuz: torch.uint8,
}  # fmt: skip
"""Types that torch stores and hardly computes with -> a type of the same width that it moves about."""


def numbers(scope: Scope, position: int) -> tuple[int, ...] | None:
    """The whole numbers of a constant input, None where it is computed or left out."""
    constant = scope.constant(position)
    return None if constant is None else integers(constant)


def integers(tensor: torch.Tensor) -> tuple[int, ...]:
    """The whole numbers in a tensor (of floats too: Upsample and Tile-1 give them so)."""
    return tuple(int(number) for number in tensor.detach().reshape(-1).tolist())


def computed(scope: Scope, first: int = 1) -> tuple[str, ...]:
    """The node's inputs, "" in place of those from ``first`` on that are constants and were read already."""
    names = list(scope.node.inputs)
    for position in range(first, len(names)):
        if names[position] and scope.constant(position) is not None:
            names[position] = ""
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def dtype_of(scope: Scope, position: int = 0) -> str:
    """Numpy's name of an input's element type, "" where it is unknown."""
    constant = scope.constant(position)
    if constant is not None:
        return str(constant.dtype).removeprefix("torch.")
    value = scope.graph.values.get(scope.input(position))
    return "" if value is None else value.dtype


def by_bits(function: Callable[..., torch.Tensor], *tensors: torch.Tensor) -> torch.Tensor:
    """``function`` on the bits of tensors of one type, where torch lacks the type; for what only moves elements."""
    dtype = tensors[0].dtype
    bits = _BITS.get(dtype)
    return function(*tensors) if bits is None else function(*(tensor.view(bits) for tensor in tensors)).view(dtype)


class Refusal:
    """A node's refusal for reasons that show when it runs: shapes and types that the file does not state."""

    def __init__(self, scope: Scope) -> None:
        self._text = str(scope.refuse("{reason}"))

    def __call__(self, reason: str) -> UnsupportedOperator:
        """The error that names node, operator, version and reason."""
        return UnsupportedOperator(self._text.replace("{reason}", reason))
