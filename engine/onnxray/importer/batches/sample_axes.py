"""Where the samples of a larger batch lie: on which axis of each value, and what that asks of a node.

A file that fixes its batch states the shape d of every value for one batch of its own. Fed with n such batches, a value
has n * d[a] in place of d[a] on one axis a, the outermost part of which counts the batches. A rule says of a node which
axes of its inputs may be that axis, and which axis of its outputs becomes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from onnxray.errors import UnsupportedOperator
from onnxray.importer.nodes.scope import Scope

Shape = tuple[int, ...]
Axis = int | None
"""The axis that the samples lie on; None for a value that is the same for all of them."""


class NotPlaced(UnsupportedOperator):
    """No rule says where a node's samples lie; the file is run by another way, or one batch of its own at a time."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a value at the file's own batch: its shape and, of a few whole numbers, the numbers."""

    shape: Shape
    numbers: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A node for n batches: the axis and the rank that each input is brought to, and the axis of its outputs.

    ``kind``: ``own`` is the node's own module; the others stand for it, where it would state the file's own batch.
    ``others``: the axis of every output but the first, where it is another. An input that is the same for all samples
    and is given an axis is repeated along it.
    """

    inputs: tuple[Axis, ...]
    output: Axis
    kind: Literal["own", "reshape", "expand", "shape", "gather"] = "own"
    ranks: tuple[int, ...] = ()
    others: Axis = None


@dataclass(frozen=True)
class Step:
    """One node to be placed. ``facts``: of its inputs ("" left out: None) and its outputs."""

    scope: Scope
    axes: tuple[Axis, ...]
    inputs: tuple[Facts | None, ...]
    outputs: tuple[Facts, ...]

    @property
    def operator(self) -> str:
        """The ONNX operator."""
        return self.scope.node.operator

    @property
    def version(self) -> int:
        """The since-version of the operator."""
        return self.scope.version

    def attribute(self, name: str, default: int) -> int:
        """A whole-number attribute."""
        return int(self.scope.attributes.get(name, default))

    def shape(self, position: int = 0) -> Shape:
        """An input's shape at the file's own batch."""
        facts = self.inputs[position]
        if facts is None:
            raise self.refuse(f"its input {position} is left out")
        return facts.shape

    def numbers(self, position: int, attribute: str = "") -> tuple[int, ...] | None:
        """Parameters given as an attribute or as an input that is the same for all samples; None where left out."""
        if attribute in self.scope.attributes:
            return tuple(int(number) for number in self.scope.attributes[attribute])
        facts = self.inputs[position] if position < len(self.inputs) else None
        if facts is None:
            return None
        if facts.numbers is None or self.axes[position] is not None:
            raise self.refuse(
                f"its input {position} is computed from the samples, or is no short list of whole numbers"
            )
        return facts.numbers

    def alone(self) -> int:
        """The axis of the first input's samples. Errors: NotPlaced where other inputs hold samples too."""
        if self.axes[0] is None or any(axis is not None for axis in self.axes[1:]):
            raise self.refuse("another input than its first differs from sample to sample")
        return int(self.axes[0])

    def first(self, axis: Axis) -> tuple[Axis, ...]:
        """``axis`` for the first input, nothing asked of the others."""
        return (axis, *(None for _ in self.axes[1:]))

    def away_from(self, axes: Iterable[int], rank: int, wanted: int) -> int:
        """``wanted``, or the first axis that is none of ``axes``."""
        taken = {axis % rank for axis in axes} if rank else set()
        for axis in (wanted, *range(rank)):
            if axis not in taken:
                return int(axis)
        raise self.refuse("it leaves no axis for the samples")

    def refuse(self, reason: str) -> NotPlaced:
        """The error that names the node."""
        return NotPlaced(f"node {self.scope.node.name!r} ({self.operator}): {reason}")


Rule = Callable[[Step], Plan]
Rules = Mapping[tuple[str, str], Rule]
"""(domain, operator) -> rule."""


def aligned(step: Step, shapes: Sequence[Shape], axes: Sequence[Axis], result: Shape) -> tuple[tuple[Axis, ...], int]:
    """Broadcasting: the axis of each input, counted at the result's rank, and of the result.

    The samples of all inputs must meet on one axis, along which none that holds samples is stretched.
    """
    rank = len(result)
    wide = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    held = [(k, axis + rank - len(shapes[k])) for k, axis in enumerate(axes) if axis is not None]
    candidates = dict.fromkeys([*(axis for _, axis in held), *range(rank)])
    fitting = [axis for axis in candidates if all(wide[k][axis] == result[axis] for k, _ in held)]
    if not fitting:
        raise step.refuse("its inputs are stretched along every axis that samples could lie on")
    best = min(fitting, key=lambda axis: sum(axis != own for _, own in held))
    holding = {k for k, _ in held}
    wanted = tuple(best if k in holding or wide[k][best] > 1 else None for k in range(len(shapes)))
    return wanted, best
