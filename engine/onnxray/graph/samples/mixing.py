"""Which values mix the samples of a batch, told from the graph: where each sample lies in a value, node by node.

    x.shape = (..., n r, ...): the axis that the n samples lie on, sample by sample, with r rows each

A node keeps the samples apart where it works along other axes, and puts them together where it sums, ranks, normalises
or multiplies along theirs, finds one scale for all, or branches on them. Of what no rule knows nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

from onnxray.arrays import Arrays
from onnxray.errors import InputError
from onnxray.graph.facts import Graph, Node
from onnxray.graph.fixed_batch import fixed_batch_of, has_no_batch
from onnxray.graph.node_attributes import DAMAGED, attribute
from onnxray.graph.operator_kinds import BROADCASTING, ELEMENTWISE, SPATIAL
from onnxray.graph.samples.copies import copied
from onnxray.graph.samples.places import Apart, Facts, Lost, Place
from onnxray.graph.samples.rules import OWN_OPERANDS, RULES, broadcast

_OF_FIRST_AXIS: Final = SPATIAL | {"GroupNormalization", "InstanceNormalization", "LRN"}
"""Operators whose first axis is the samples' by the standard; what else they read must be the same for all."""
_ONE_SCALE: Final = frozenset({"DynamicQuantizeLSTM", "DynamicQuantizeLinear", "DynamicQuantizeMatMul"})
_LIGHT: Final = 2**26
"""How many numbers are held at once without asking how much memory there is."""
_SHARE: Final = 0.5
_UNKNOWN_MEMORY: Final = 2**32

_NOT_TRIED: Final = "whether the samples of a batch depend on each other was not tried (inspect --batch)"

Probe = Callable[[tuple[str, ...]], str | None]
"""Names of values -> why their samples must stay together, found by running the file; None where they need not."""


class Mixing:
    """Whether the batch of one model may be cut.

    probe: finds out what the graph does not tell. alone: each sample is a thing by itself, a picture, so where samples
    would change each other each is asked alone; else the batch is one thing, and stays whole.
    """

    def __init__(self, graph: Graph, probe: Probe | None = None, *, alone: bool = False) -> None:
        self.graph, self.probe, self.alone = graph, probe, alone
        self._probed: dict[tuple[str, ...], str | None] = {}

    @cached_property
    def places(self) -> Mapping[str, Place]:
        """Where the samples lie in every value."""
        return places(self.graph)

    def note(self, *, tried: bool = True) -> str | None:
        """What a result must say where the file's outputs for one sample depend on those fed with it.

        tried: whether the file may be run to find out; where not, and the graph does not tell, that is what is said.
        """
        why = self.found(tuple(output.name for output in self.graph.outputs), tried=tried)
        if why is None or why == _NOT_TRIED:
            return why
        fed = "; so each is fed alone" if self.apart else ""
        return f"what is found for one sample depends on those fed with it: {why}{fed}"

    @property
    def apart(self) -> bool:
        """Whether samples are fed one by one because they would change each other's outputs."""
        if not self.alone or fixed_batch_of(self.graph) is not None:
            return False
        return self.found(tuple(output.name for output in self.graph.outputs)) is not None

    def found(self, names: tuple[str, ...], *, tried: bool = True) -> str | None:
        """Why the samples of these values depend on each other, as far as is known; None where they do not."""
        if fixed_batch_of(self.graph) == 1 or has_no_batch(self.graph):
            return None
        where = {name: self.places.get(name, "still") for name in names}
        for place in where.values():
            if isinstance(place, Lost) and place.sure:
                return f"node {place.node!r} ({place.operator}) puts the samples of a batch together"
        open_ = tuple(name for name, place in where.items() if isinstance(place, Lost))
        if not open_ or self.probe is None:
            return None
        if open_ not in self._probed and not tried:
            return _NOT_TRIED
        if open_ not in self._probed:
            self._probed[open_] = self.probe(open_)
        return self._probed[open_]

    def chunk(self, feeds: Arrays, names: tuple[str, ...], size: int) -> int:
        """How many samples may be fed at once where ``size`` would do: all of them, where they depend on each other, or
        each alone.

        Errors: InputError where the file or the memory does not take them all, or a value is one for all of them.
        """
        lengths = {len(array) for array in feeds.values() if array.ndim}
        own = fixed_batch_of(self.graph)
        if len(lengths) != 1 or own == 1:
            return size
        (total,) = lengths
        if total > 1 and self.apart:
            self._check_apart(names)
            return 1
        if total == own or (own is None and total <= size):
            return size
        why = self.found(names)
        if own is not None:
            if why is None:
                return size
            raise InputError(
                f"{why}, and the file fixes its batch at {own}; exactly {own} samples can be given, not {total}"
            )
        if why is None:
            whole = [name for name in names if self.places.get(name, "still") not in ("still", Apart(0, 1))]
            whole = [name for name in whole if self._lies_elsewhere(name)]
            if not whole:
                return size
            why = f"the samples of value {whole[0]!r} do not lie one after the other along its first axis"
        room, needed = _room(), total * self._numbers(feeds, names)
        if needed > _LIGHT and 4 * needed > room:
            raise InputError(
                f"{why}, so {total} samples are not fed in parts, and together they may take {4 * needed / 2**30:.1f} "
                f"GiB, more than the {room / 2**30:.1f} GiB to spare; give fewer at once"
            )
        return total

    def _check_apart(self, names: tuple[str, ...]) -> None:
        """Refuse a value that has no row for each sample, as far as the file tells. Errors: InputError."""
        for name in names:
            value = self.graph.values.get(name)
            shape = value.shape if value is not None and name in self.graph.depends_on_input else None
            if shape is not None and (not shape or isinstance(shape[0], int)):
                raise InputError(
                    f"value {name!r} of shape {list(shape)} is one for all samples that are fed together, and each is "
                    "fed alone because they would change each other; give one sample at a time"
                )

    def _lies_elsewhere(self, name: str) -> bool:
        place = self.places[name]
        return place in ("count", "copies") or (isinstance(place, Apart) and place.axis > 0)

    def _numbers(self, feeds: Arrays, names: tuple[str, ...]) -> int:
        """How many numbers one sample has in all values together, those of unknown size counted as an input."""
        given = sum(array[:1].size for array in feeds.values())
        facts = Facts(self.graph)
        computed = [name for node in self.graph.needed_for(names) for name in node.outputs if name]
        apart = ((name, place) for name in computed if (place := self.places.get(name, "still")) != "still")
        sizes = (facts.sample(name, place if isinstance(place, Apart) else Apart()) for name, place in apart)
        return given + sum(given if size is None else size for size in sizes)


def _room() -> float:
    """Bytes of memory that a batch may take."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return _SHARE * 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):  # no Linux
        return _UNKNOWN_MEMORY


def places(graph: Graph) -> Mapping[str, Place]:
    """Where the samples lie in every value that depends on the input; every input has them on its first axis."""
    walk = _Walk(graph)
    for value in graph.inputs:
        walk.found[value.name] = Apart() if value.shape is None or value.shape else "still"
    for node in graph.every_node:
        if node.outputs and any(name in graph.depends_on_input for name in node.outputs):
            for position, name in enumerate(node.outputs):
                if name:
                    walk.found[name] = walk.place(node, position)
    return walk.found


class _Walk(Facts):
    """The walk from node to node."""

    def place(self, node: Node, position: int) -> Place:
        """Where the samples lie in one output of a node; of a node that is damaged nothing is said."""
        try:
            return self._place(node, position)
        except DAMAGED:
            return Lost(node.name, node.operator, sure=False)

    def _place(self, node: Node, position: int) -> Place:
        read = [self.of(name) for name in node.reads]
        lost = [place for place in read if isinstance(place, Lost)]
        if lost:
            return next((place for place in lost if place.sure), lost[0])
        if node.operator in {"Shape", "Size"}:
            return "count"
        if not any(isinstance(place, Apart) for place in read):
            return self._without_samples(node, read)
        found = self._ruled(node, position)
        return Lost(node.name, node.operator, sure=found) if isinstance(found, bool) else found

    def _without_samples(self, node: Node, read: list[Place]) -> Place:
        """What is computed from shapes and constants."""
        if all(place == "still" for place in read):
            return "still"
        if node.operator in {"Gather", "Slice"} and self._reads_another_length(node):
            return "still"
        return "copies" if copied(self, node) else "count"

    def _reads_another_length(self, node: Node) -> bool:
        """Whether lengths are picked from a Shape that are not the samples' own."""
        source = self.graph.producer_of.get(node.inputs[0])
        place = self.of(source.inputs[0]) if source is not None and source.operator == "Shape" else None
        if source is None or not isinstance(place, Apart) or attribute(source, "start", 0):
            return False
        if node.operator == "Gather":
            picked = self.numbers(node, 1)
            rank = self.rank(source.inputs[0])
            return bool(picked) and rank is not None and all(k % rank != place.axis for k in picked or ())
        starts = self.numbers(node, 1)
        return place.axis == 0 and starts is not None and len(starts) == 1 and starts[0] > 0

    def _ruled(self, node: Node, position: int) -> Place | bool:
        """Where the samples lie; True where they are surely put together, False where no rule knows."""
        operator = node.operator
        if operator in _ONE_SCALE or (operator == "If" and self.of(node.inputs[0]) != "still"):
            return True
        if operator in BROADCASTING:
            return broadcast(self, node)
        rule = RULES.get(operator)
        first = self.of(node.inputs[0]) if node.inputs else "still"
        others = [self.of(name) for name in node.inputs[1:] if name]
        if rule is not None and operator in OWN_OPERANDS:
            return rule(self, node, Apart(), 0)
        if not isinstance(first, Apart) or any(isinstance(place, Apart) for place in others):
            return False
        rank = self.rank(node.inputs[0])
        if operator in ELEMENTWISE:
            return first if set(others) <= {"still"} and (operator != "Dropout" or len(node.inputs) < 3) else False
        if operator in _OF_FIRST_AXIS:
            return first if first.axis == 0 and all(place == "still" for place in others) and not position else False
        if rule is None or rank is None:
            return False
        return rule(self, node, first, rank)
