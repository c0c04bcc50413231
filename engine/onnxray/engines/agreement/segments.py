"""A graph in segments, one engine going through them after the other: of its values no more is held than is read later.

    max over segments of (what they read + what they give), in place of the sum of all values

A segment is computed from what those before it gave. Where every value is read there is nothing to be fused across its
ends, so its numbers are those that the whole graph gives, but for the rounding of a kernel that is another at an end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import torch

from onnxray.arrays import Array, Arrays
from onnxray.engines.agreement.single_node import tensors_of
from onnxray.engines.cotangents import Tensors
from onnxray.engines.judge import Judge, return_freed_memory
from onnxray.engines.twin import Twin
from onnxray.graph.facts import Graph, Node
from onnxray.importer.nodes.integers_as_floats import declared_type

MOST_BYTES: Final = 2**24
"""What the values of a segment may take, where it can be ended; a network of less is one."""

_HANDED_ON: Final = frozenset({
    "bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
})  # fmt: skip

Held = TypeVar("Held")


@dataclass(frozen=True, slots=True)
class Segment:
    """Nodes of a graph that follow each other.

    names: the values that it gives. given: those of other segments that it reads. handed: those that others read. over:
    those that nobody reads after it. alone: whether it is the whole graph.
    """

    nodes: tuple[Node, ...]
    names: tuple[str, ...]
    given: tuple[str, ...]
    handed: tuple[str, ...]
    over: tuple[str, ...]
    alone: bool


def segments(graph: Graph, names: Iterable[str], sizes: Mapping[str, int], most: int = MOST_BYTES) -> list[Segment]:
    """The nodes that ``names`` are computed by, in segments whose values take ``most`` bytes each, or little more.

    sizes: the bytes of values; others count as much as the largest. What is computed from weights alone is computed in
    each segment that reads it. No segment ends where sequences, quantised values or values of unknown type are alive.
    """
    wanted = tuple(dict.fromkeys(names))
    moving = graph.depends_on_input
    nodes = [node for node in graph.needed_for(wanted) if moving.intersection(node.outputs)]
    last = {name: place for place, node in enumerate(nodes) for name in node.reads}
    largest = max(sizes.values(), default=0)
    parts: list[list[Node]] = [[]]
    alive, taken = set[str](), 0
    plain = _plain(graph, [name for node in nodes for name in node.outputs])
    for place, node in enumerate(nodes):
        parts[-1].append(node)
        taken += sum(sizes.get(name, largest) for name in node.outputs if name)
        alive.update(name for name in node.outputs if last.get(name, -1) > place)
        alive.difference_update(name for name in node.reads if last[name] == place)
        if taken > most and place < len(nodes) - 1 and alive <= plain:
            parts.append([])
            taken = 0
    return _described(graph, wanted, parts)


def _plain(graph: Graph, names: list[str]) -> set[str]:
    """The values that one segment may hand to another."""
    tensors = set(tensors_of(graph, names))
    return {n for n in tensors if n and graph.values[n].dtype in _HANDED_ON and declared_type(graph, n) is None}


def _described(graph: Graph, wanted: tuple[str, ...], parts: list[list[Node]]) -> list[Segment]:
    if len(parts) == 1:
        nodes = tuple(node for node in graph.needed_for(wanted) if node.operator != "Constant")
        return [Segment(nodes, wanted, (), (), (), alone=True)]
    place_of = {name: place for place, part in enumerate(parts) for node in part for name in node.outputs if name}
    readers: dict[str, set[int]] = {}
    for place, part in enumerate(parts):
        for name in dict.fromkeys(name for node in part for name in node.reads):
            readers.setdefault(name, set()).add(place)
    found = []
    for place, part in enumerate(parts):
        still = {name for node in part for name in node.reads if name not in graph.depends_on_input}
        constant = [node for node in graph.needed_for(still) if node.operator != "Constant"]
        beside = still.union(*(node.outputs for node in constant), *(node.reads for node in constant))
        own = [name for node in part for name in node.outputs if name]
        handed = tuple(name for name in own if max(readers.get(name, {-1})) > place)
        names = [name for name in wanted if place_of.get(name) == place or name in beside]
        given = [name for name, at in readers.items() if place in at and place_of.get(name, place) < place]
        over = tuple(name for name in given if max(readers[name]) == place)
        names = list(dict.fromkeys([*names, *handed]))
        found.append(Segment((*constant, *part), tuple(names), tuple(given), handed, over, alone=False))
    return found


class Passage(Generic[Held]):
    """One engine on its way: ``run`` gives a segment's values from those that it is given."""

    def __init__(self, run: Callable[[Segment, dict[str, Held]], dict[str, Held]]) -> None:
        self._run = run
        self._held: dict[str, Held] = {}

    def given(self, segment: Segment) -> dict[str, Held]:
        """What a segment, the next, is given."""
        return {name: self._held[name] for name in segment.given}

    def next(self, segment: Segment) -> dict[str, Held]:
        """The values of the next segment; what nobody reads any more is let go."""
        return_freed_memory()
        values = self._run(segment, self.given(segment))
        for name in segment.over:
            del self._held[name]
        self._held.update((name, values[name]) for name in segment.handed)
        return values


def by_the_judge(judge: Judge, feeds: Arrays) -> Passage[Array]:
    """ONNX Runtime on one batch; sessions stay open for a segment alone. Errors: RuntimeRefusal, InputError."""

    def run(segment: Segment, given: dict[str, Array]) -> dict[str, Array]:
        if segment.alone:
            return judge.values(feeds, segment.names, once=True)
        return judge.part(segment.names, segment.given)({**feeds, **given})

    return Passage(run)


def by_the_twin(twin: Twin, variables: Arrays) -> Passage[torch.Tensor]:
    """Torch on one batch. Errors: UnsupportedOperator, RuntimeRefusal."""
    entries = twin.entries(variables)

    def run(segment: Segment, given: Tensors) -> Tensors:
        read = {name for node in segment.nodes for name in node.reads}
        known = entries if segment.alone else {n: t for n, t in entries.items() if n in read} | given
        return twin.part(segment.names, known)

    return Passage(run)
