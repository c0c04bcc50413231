"""Padding as convolutions and pools state it: ``pads`` (all begins, then all ends) or ``auto_pad``."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from onnxray.importer.nodes.scope import Scope


@dataclass(frozen=True, slots=True)
class Padding:
    """How a window operator pads: ``begins`` and ``ends`` an axis, or so that the output has ceil(input / stride)."""

    begins: tuple[int, ...]
    ends: tuple[int, ...]
    same: str | None = None

    @property
    def symmetric(self) -> tuple[int, ...] | None:
        """The padding that torch's own modules take, or None where they cannot."""
        return self.begins if self.same is None and self.begins == self.ends else None

    def amounts(
        self, sizes: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """How much is padded before and after each axis of an input of those sizes."""
        if self.same is None:
            return self.begins, self.ends
        pairs = []
        for size, k, s, d in zip(sizes, kernel, stride, dilation):
            total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
            small, large = total // 2, total - total // 2
            pairs.append((small, large) if self.same == "SAME_UPPER" else (large, small))
        return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)

    def apply(
        self,
        x: torch.Tensor,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
        fill: float,
    ) -> torch.Tensor:
        """Pad the spatial axes of ``x`` with ``fill``."""
        begins, ends = self.amounts(tuple(x.shape[2:]), kernel, stride, dilation)
        flat = [amount for pair in reversed(list(zip(begins, ends))) for amount in pair]
        return functional.pad(x, flat, value=fill) if any(flat) else x


def read_padding(scope: Scope, rank: int) -> Padding:
    """Read a node's padding for ``rank`` spatial axes."""
    auto = scope.attributes.get("auto_pad", "NOTSET")
    zeros = (0,) * rank
    if auto in {"SAME_UPPER", "SAME_LOWER"}:
        return Padding(zeros, zeros, auto)
    if auto not in {"NOTSET", "VALID"}:
        raise scope.refuse(f"its auto_pad is {auto!r}, which the standard does not know")
    pads = tuple(scope.attributes.get("pads", zeros * 2)) if auto == "NOTSET" else zeros * 2
    if len(pads) != 2 * rank or min(pads) < 0:
        raise scope.refuse(f"its pads are {list(pads)}, {2 * rank} numbers of at least 0 were expected")
    return Padding(pads[:rank], pads[rank:])


def read_window(scope: Scope, name: str, rank: int) -> tuple[int, ...]:
    """Read ``strides`` or ``dilations``: one number an axis, 1 by default."""
    numbers = tuple(scope.attributes.get(name) or (1,) * rank)
    if len(numbers) != rank or min(numbers) < 1:
        raise scope.refuse(f"its {name} are {list(numbers)}, {rank} numbers of at least 1 were expected")
    return numbers
