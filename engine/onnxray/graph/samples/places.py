"""Where the samples of a batch lie in a value, and the facts of a graph by which that is told."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Final, Literal

import numpy as np

from onnxray.arrays import Array
from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import constant

_SMALL: Final = 256


@dataclass(frozen=True, slots=True)
class Apart:
    """The samples lie one after the other on this axis, with so many rows each."""

    axis: int = 0
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Lost:
    """The samples are not apart by ``node``; sure: they are put together, otherwise no rule knows."""

    node: str
    operator: str
    sure: bool


Place = Apart | Lost | Literal["still", "count", "copies"]
"""Where samples lie in a value. still: nowhere, it is the same for any batch; count: its shape or numbers follow from
how many there are; copies: the same for every sample, on the first axis."""


class Facts:
    """What is known of a graph, and where samples were found to lie so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.found: dict[str, Place] = {}

    def of(self, name: str) -> Place:
        """Where they lie in a value."""
        return self.found.get(name, "still")

    def dims(self, name: str) -> tuple[object, ...] | None:
        """A value's lengths, as far as the file tells them."""
        if name in self.graph.initializers:
            return tuple(self.graph.initializers[name].dims)
        value = self.graph.values.get(name)
        return None if value is None else value.shape

    def rank(self, name: str) -> int | None:
        """How many axes a value has, where that is known."""
        dims = self.dims(name)
        return None if dims is None else len(dims)

    def numbers(self, node: Node, position: int) -> list[int] | None:
        """A short constant operand; None where it is left out, computed or long."""
        name = node.inputs[position] if position < len(node.inputs) else ""
        dims = self.dims(name) if name else None
        if not name or (dims is not None and prod(d for d in dims if isinstance(d, int)) > _SMALL):
            return None
        array: Array | None = constant(self.graph, name)
        return (
            None if array is None or array.dtype.kind not in "iuf" else [int(n) for n in np.asarray(array).reshape(-1)]
        )

    def sample(self, name: str, place: Apart) -> int | None:
        """How many numbers a sample has; None where a length is not known."""
        dims = self.dims(name)
        rest = None if dims is None else [*dims[: place.axis], *dims[place.axis + 1 :]]
        known = [] if rest is None else [dim for dim in rest if isinstance(dim, int)]
        return prod(known) * place.rows if rest is not None and len(known) == len(rest) else None
