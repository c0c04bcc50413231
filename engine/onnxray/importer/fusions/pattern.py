"""What a fusion sees of a cut, and what it gives: several nodes as one module."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from onnxray.graph.facts import Dim, Graph, Node
from onnxray.importer.nodes.scope import Scope
from onnxray.importer.nodes.weights import Weights

_REAL = frozenset({"float32", "float64"})


@dataclass(frozen=True, slots=True)
class Fusion:
    """``nodes`` as one module that takes ``inputs`` and gives ``outputs`` (a tuple where there are several).

    It stands at the place of node ``at``. ``make`` gives None where the numbers themselves forbid the fusion.
    """

    nodes: tuple[Node, ...]
    at: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    make: Callable[[], nn.Module | None]


class Cut:
    """The nodes that some wanted values need, and who of them reads what."""

    def __init__(
        self,
        graph: Graph,
        weights: Weights,
        nodes: Iterable[Node],
        wanted: Iterable[str],
        scope_of: Callable[[Node], Scope],
    ) -> None:
        self.graph, self.weights, self.scope_of = graph, weights, scope_of
        self.wanted = frozenset(wanted)
        self.readers: dict[str, list[Node]] = {}
        self.members: set[int] = set()
        for node in nodes:
            self.members.add(node.index)
            for name in dict.fromkeys(node.reads):
                self.readers.setdefault(name, []).append(node)

    def producer(self, name: str, *operators: str) -> Node | None:
        """The node of one of these operators that computes ``name`` and nothing else, else None."""
        node = self.graph.producer_of.get(name)
        fits = node is not None and is_plain(node, *operators)
        inside = fits and node is not None and node.index in self.members  # else the cut is given the value
        return node if inside and node is not None and node.outputs == (name,) else None

    def operand(self, node: Node, *operators: str) -> tuple[Node, str] | None:
        """Of a node of two operands in any order: the operand's node of one of these operators, and the other value."""
        for k in (0, 1):
            found = self.producer(node.inputs[k], *operators)
            if found is not None:
                return found, node.inputs[1 - k]
        return None

    def constant(self, name: str) -> torch.Tensor | None:
        """A constant's tensor."""
        return self.weights.tensor(name) if name and name in self.weights else None

    def number(self, name: str) -> float | None:
        """The value of a constant of one element."""
        tensor = self.constant(name) if self.is_one_number(name) else None
        return None if tensor is None else float(tensor)

    def is_one_number(self, name: str) -> bool:
        """Whether a value has surely one element, and no axis that could widen what it is multiplied with."""
        tensor, value = self.graph.initializers.get(name), self.graph.values.get(name)
        shape = tensor.dims if tensor is not None else value.shape if value is not None else None
        return shape is not None and list(shape) in ([], [1])

    def is_real(self, name: str) -> bool:
        """Whether a value surely holds float32 or float64: half precision is rounded after every node, so not fused."""
        value = self.graph.values.get(name)
        return value is not None and value.dtype in _REAL

    def shape(self, name: str) -> tuple[Dim, ...]:
        """A value's shape, () where nothing is known of it."""
        value = self.graph.values.get(name)
        return () if value is None or value.shape is None else value.shape

    def rank(self, name: str) -> int | None:
        """How many axes a value has, where that is known."""
        value = self.graph.values.get(name)
        return None if value is None or value.shape is None else len(value.shape)

    def is_closed(self, fusion: Fusion) -> bool:
        """Whether nobody else asks for what the fusion no longer gives."""
        members = {node.index for node in fusion.nodes}
        for name in (name for node in fusion.nodes for name in node.outputs if name and name not in fusion.outputs):
            if name in self.wanted or any(reader.index not in members for reader in self.readers.get(name, ())):
                return False
        return True


def is_plain(node: Node, *operators: str) -> bool:
    """Whether a node is of one of these operators of the standard domain."""
    return node.domain == "" and node.operator in operators


def replacing(nodes: Iterable[Node], inputs: tuple[str, ...], make: Callable[[], nn.Module | None]) -> Fusion:
    """A fusion that stands at its last node and gives what that node gives."""
    ordered = tuple(sorted(nodes, key=lambda node: node.index))
    return Fusion(ordered, ordered[-1].index, inputs, ordered[-1].outputs[:1], make)
