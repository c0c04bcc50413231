"""Sequences, which are lists of tensors here, and optionals, which are the value itself or None."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from onnxray.errors import InputError
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.nodes.shape_parameters import computed, integers

Sequence = list[torch.Tensor]


class SequenceConstruct(nn.Module):
    """The inputs as a sequence; the empty sequence of none."""

    def forward(self, *items: torch.Tensor) -> Sequence:
        """Collect."""
        return list(items)


class SequenceAt(nn.Module):
    """The tensor at a position; a negative one counts from the end."""

    def forward(self, sequence: Sequence, position: torch.Tensor) -> torch.Tensor:
        """Pick."""
        return sequence[integers(position)[0]]


class SequenceInsert(nn.Module):
    """A copy of the sequence with a tensor before a position, or at the end."""

    def forward(self, sequence: Sequence, item: torch.Tensor, position: torch.Tensor | None = None) -> Sequence:
        """Insert; a negative position counts from the end."""
        place = len(sequence) if position is None else integers(position)[0]
        if abs(place) > len(sequence):
            raise InputError(f"SequenceInsert has the position {place} in a sequence of {len(sequence)}")
        copy = list(sequence)
        copy.insert(place, item)
        return copy


class SequenceErase(nn.Module):
    """A copy of the sequence without the tensor at a position, or without the last."""

    def forward(self, sequence: Sequence, position: torch.Tensor | None = None) -> Sequence:
        """Erase; a negative position counts from the end."""
        copy = list(sequence)
        del copy[-1 if position is None else integers(position)[0]]
        return copy


class SequenceLength(nn.Module):
    """How many tensors the sequence holds; no gradient."""

    def forward(self, sequence: Sequence) -> torch.Tensor:
        """Count."""
        return torch.tensor(len(sequence), dtype=torch.int64)


class SplitToSequence(nn.Module):
    """Parts along an axis: of the given lengths, of one length (the last shorter), or single slices."""

    def __init__(self, axis: int, lengths: tuple[int, ...] | int | None, keep: bool) -> None:
        super().__init__()
        self.axis, self.lengths, self.keep = axis, lengths, keep

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> Sequence:
        """Split; ``keep`` leaves single slices their axis."""
        parts = self.lengths if lengths is None else _lengths(lengths)
        if parts is None and not self.keep:
            return list(x.unbind(self.axis))
        return list(torch.split(x, list(parts) if isinstance(parts, tuple) else parts or 1, self.axis))


def _lengths(tensor: torch.Tensor) -> tuple[int, ...] | int:
    """A number is the length of every part, a list has one for each."""
    return integers(tensor) if tensor.ndim else integers(tensor)[0]


class ConcatFromSequence(nn.Module):
    """The tensors of the sequence one after the other along an axis, or along a ``new`` one."""

    def __init__(self, axis: int, new: bool) -> None:
        super().__init__()
        self.axis, self.new = axis, new

    def forward(self, sequence: Sequence) -> torch.Tensor:
        """Join."""
        return torch.stack(sequence, self.axis) if self.new else torch.cat(sequence, self.axis)


class Optional(nn.Module):
    """The input itself, or None."""

    def forward(self, value: Any = None) -> Any:
        """Wrap."""
        return value


class OptionalGetElement(nn.Module):
    """What an optional holds; an error where it holds nothing."""

    def forward(self, value: Any) -> Any:
        """Unwrap."""
        if value is None:
            raise InputError("OptionalGetElement was given an optional that holds nothing")
        return value


class OptionalHasElement(nn.Module):
    """Whether an optional holds something; no gradient."""

    def forward(self, value: Any = None) -> torch.Tensor:
        """Ask."""
        return torch.tensor(value is not None)


def _plain(kind: type[nn.Module]) -> Any:
    return lambda scope: Converted(kind(), scope.node.inputs)


def _split_to_sequence(scope: Scope) -> Converted:
    constant, get = scope.constant(1), scope.attributes.get
    lengths = None if constant is None else _lengths(constant)
    return Converted(SplitToSequence(int(get("axis", 0)), lengths, bool(get("keepdims", 1))), computed(scope))


def _concat_from_sequence(scope: Scope) -> Converted:
    module = ConcatFromSequence(int(scope.attributes["axis"]), bool(scope.attributes.get("new_axis", 0)))
    return Converted(module, scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("SequenceEmpty", (11,), _plain(SequenceConstruct)),
    **for_versions("SequenceConstruct", (11,), _plain(SequenceConstruct)),
    **for_versions("SequenceAt", (11,), _plain(SequenceAt)),
    **for_versions("SequenceInsert", (11,), _plain(SequenceInsert)),
    **for_versions("SequenceErase", (11,), _plain(SequenceErase)),
    **for_versions("SequenceLength", (11,), _plain(SequenceLength)),
    **for_versions("SplitToSequence", (11, 24), _split_to_sequence),
    **for_versions("ConcatFromSequence", (11,), _concat_from_sequence),
    **for_versions("Optional", (15, 28), _plain(Optional)),
    **for_versions("OptionalGetElement", (15, 18, 28), _plain(OptionalGetElement)),
    **for_versions("OptionalHasElement", (15, 18, 28), _plain(OptionalHasElement)),
}
