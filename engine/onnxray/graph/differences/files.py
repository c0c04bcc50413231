"""Two files compared: which tensors hold other numbers, by how much, and what else differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors.short_values import short
from onnxray.graph.differences.change import Change
from onnxray.graph.differences.structure import differ_at_all, structure_changes
from onnxray.graph.differences.unread import unread_changes
from onnxray.graph.facts import Graph
from onnxray.graph.file.attribute_values import held_tensor
from onnxray.graph.file.element_types import element_type_name
from onnxray.graph.trainable.listing import constants_of
from onnxray.notebooks.displayed import Displayed, one_line


@dataclass(frozen=True, kw_only=True)
class TensorChange:
    """A tensor that both files have, of one type and shape, with other numbers. changed: how many of them.

    largest: of |new - old|; relative: ||new - old|| / ||old||; None where NaN or infinity stands in one, or ||old||
    is 0, which ``reason`` says. weight: whether it holds real numbers, or whole ones that stand for some; other whole
    numbers are shapes, axes and indices, which the graph computes with.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    count: int
    changed: int
    largest: float | None
    relative: float | None
    reason: str | None
    weight: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name, "dtype": self.dtype, "shape": list(self.shape), "count": self.count,
            "changed": self.changed, "largest": self.largest, "relative": self.relative, "reason": self.reason,
            "weight": self.weight,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Differences(Displayed):
    """What differs. tensors: numbers; graph: everything else. compared: how many tensors both files have.

    external: where one file keeps its weights beside it under other names than the other, which is no difference of
    what they hold.
    """

    tensors: tuple[TensorChange, ...]
    graph: tuple[Change, ...]
    compared: int
    external: Change | None = None

    @property
    def only_weights(self) -> bool:
        """Whether nothing but numbers of weights differs, if anything does."""
        return not self.graph and all(one.weight for one in self.tensors)

    @property
    def nothing(self) -> bool:
        """Whether the files hold the same, wherever the weights lie."""
        return not self.graph and not self.tensors

    def summary(self) -> str:
        """In one sentence."""
        if self.nothing:
            return f"nothing differs: {self.compared} tensors and the graph are the same"
        numbers = f"{len(self.tensors)} of {self.compared} tensors hold other numbers"
        if self.only_weights:
            return f"only weights differ: {numbers}; the graph, its names, attributes and metadata are the same"
        others = len(self.graph) + sum(not one.weight for one in self.tensors)
        return f"the graph differs, in {others} place{'s' if others > 1 else ''}; {numbers}"

    def __repr__(self) -> str:
        return one_line(self, self.summary())


def differences(old: Graph, new: Graph) -> Differences:
    """Compare two files, one tensor of each in memory at a time. Errors: ModelFileError where one cannot be read."""
    sides = old.container.skeleton, new.container.skeleton
    graph = [*structure_changes(*sides), *unread_changes(old.container, new.container)]
    if not graph and differ_at_all(*sides):
        graph.append(Change("other fields", "", "as they were", "others"))
    held = [dict(_tensors(graph)) for graph in (old, new)]
    shared = [name for name, one in held[0].items() if held[1].get(name, ("", (), None))[:2] == one[:2]]
    weights = {one.name for one in constants_of(old)}
    found = (_compared(name, held[0][name], held[1][name], weights) for name in shared)
    located = [sorted(graph.container.external) for graph in (old, new)]
    moved = None if located[0] == located[1] else Change("external data", "", short(located[0]), short(located[1]))
    return Differences(
        tensors=tuple(one for one in found if one is not None), graph=tuple(graph), compared=len(shared), external=moved
    )


_Held = tuple[str, tuple[int, ...], Any]


def _tensors(graph: Graph) -> Iterator[tuple[str, _Held]]:
    """Every constant of the file's graph: its type, its shape, and what reads it."""
    container = graph.container
    for tensor in container.skeleton.graph.initializer:
        yield tensor.name, (element_type_name(tensor.data_type), tuple(tensor.dims), lambda t=tensor: container.read(t))
    for node in container.skeleton.graph.node:
        tensor = held_tensor(node)
        if tensor is not None and len(node.output) == 1:
            dtype = element_type_name(tensor.data_type)
            yield node.output[0], (dtype, tuple(tensor.dims), lambda t=tensor: container.read(t))


def _compared(name: str, old: _Held, new: _Held, weights: set[str]) -> TensorChange | None:
    before, after = old[2](), new[2]()
    other = _differ(before, after)
    if not other.any():
        return None
    largest = relative = reason = None
    if before.dtype.kind in "OSU":
        reason = "text"
    else:
        wide = np.complex128 if before.dtype.kind == "c" else np.float64
        a, b = before.astype(wide), after.astype(wide)
        if np.isfinite(a).all() and np.isfinite(b).all():
            largest, size = float(np.abs(b - a).max()), float(np.linalg.norm(a))
            relative = float(np.linalg.norm(b - a)) / size if size else None
            reason = None if size else "the old numbers are all 0"
        else:
            reason = "NaN or infinity"
    return TensorChange(
        name=name, dtype=old[0], shape=old[1], count=int(before.size), changed=int(other.sum()), largest=largest,
        relative=relative, reason=reason, weight=name in weights or old[0].startswith(("float", "bfloat", "complex")),
    )  # fmt: skip


def _differ(old: NDArray[Any], new: NDArray[Any]) -> NDArray[np.bool_]:
    """Where numbers are others, by their bits."""
    if old.dtype.kind in "OSU":
        return np.asarray(old != new)
    size = min(old.dtype.itemsize, 8)  # complex128 is two of eight bytes
    words = [np.ascontiguousarray(one).reshape(-1).view(np.dtype(f"u{size}")) for one in (old, new)]
    return np.asarray((words[0] != words[1]).reshape(-1, old.dtype.itemsize // size).any(1))
