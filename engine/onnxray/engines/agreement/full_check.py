"""Twin against judge at every value, and which node is at fault: its own error apart from what it inherits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from onnxray.arrays import Array, Arrays
from onnxray.engines.agreement.comparison import (
    TOLERANCE,
    Comparison,
    Difference,
    Verdict,
    compare,
    compared,
    described,
    difference,
    is_comparable,
    is_quantised,
    of_all,
    short_floats,
)
from onnxray.engines.agreement.outputs_check import Values, moved_by_optimisations
from onnxray.engines.agreement.quantisation_steps import Steps
from onnxray.engines.agreement.segments import by_the_judge, by_the_twin, segments
from onnxray.engines.agreement.single_node import given_alone, tensors_of
from onnxray.engines.agreement.verification import Fault, Verification, in_words
from onnxray.engines.chunks import Chunk, chunk_size, chunks, has_batch_axis, sample_count
from onnxray.engines.judge import Judge
from onnxray.engines.twin import Twin
from onnxray.errors import InputError, RuntimeRefusal
from onnxray.graph.facts import Graph, Node
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.value_shapes import shapes_at, value_bytes
from onnxray.importer.nodes.weights import numpy_array

_STEP = 1
"""By how many steps of quantisation a value may be off by what it inherits, or a whole number by its own node: the
judge adds up in another order than torch, and what falls near the middle of a step is rounded either way."""

_MOST_OF_A_VALUE = 2**24
"""Where one value of a batch takes more bytes, its samples are fed one by one."""


def verify(
    judge: Judge, twin: Twin, feeds: Arrays, variables: Arrays, inputs: str, tolerance: float = TOLERANCE
) -> Verification:
    """Compare every value, then every node that a value too far off is computed by, alone and with the judge's inputs.

    A value is let off by ``tolerance`` (see ``compared``). Where it is computed from quantised ones it may be off by
    one step, or by what one step of each of the nearest quantised values makes of it, if its node alone is right.
    The graph is gone through in segments, both engines side by side, so that no more is held than is still read.
    """
    return _Run(judge, twin, feeds, variables, tolerance).verify(inputs)


@dataclass(frozen=True, eq=False)
class _Part:
    """A chunk of the batch, and what is kept of it.

    outputs: what the file itself gives. judge, twin: what is given for the outputs, and for the values with a step that
    are nearest to them, where every value is read.
    """

    chunk: Chunk
    variables: Arrays
    outputs: Mapping[str, Array]
    judge: dict[str, Array] = field(default_factory=dict)
    twin: dict[str, Array] = field(default_factory=dict)


class _Measured:
    """How far each value is apart in each part, in numbers and in steps of its quantisation."""

    def __init__(self) -> None:
        self.apart: dict[str, list[Difference]] = {}
        self.steps: dict[str, list[float | None]] = {}

    def add(self, name: str, apart: Difference, steps: float | None) -> None:
        """Of the next part."""
        self.apart.setdefault(name, []).append(apart)
        self.steps.setdefault(name, []).append(steps)

    def worst(self, name: str) -> int:
        """The part in which a value is furthest apart."""
        off = [part.absolute if part.alike and not part.nothing else np.inf for part in self.apart[name]]
        return int(np.argmax(off))


class _Run:
    """One verification in the making."""

    def __init__(self, judge: Judge, twin: Twin, feeds: Arrays, variables: Arrays, tolerance: float) -> None:
        self.graph, self.judge, self.twin = judge.graph, judge, twin
        self.feeds, self.variables, self.tolerance = feeds, variables, tolerance
        self.steps = Steps(self.graph)
        self.short = short_floats(self.graph)

    def verify(self, inputs: str) -> Verification:
        wanted, skipped = self._comparable()
        parts = self._parts(wanted)
        found = self._measured(wanted, parts)
        apart = {name: of_all(self.graph, name, found.apart[name]) for name in wanted if name in found.apart}
        skipped += [name for name in wanted if name not in apart]
        rows = [self._compared(name, one, found.steps[name]) for name, one in apart.items()]
        ends = {output.name for output in self.graph.outputs}
        unfilled = {row.name for row in rows if np.isnan(row.absolute) and apart[row.name].nowhere}
        if not unfilled & ends:  # else the weights may hold NaN, and the first value that is NaN is to be named
            rows = [replace(row, verdict="empty") if row.name in unfilled else row for row in rows]
        off = [row for row in rows if not row.agrees]
        alone = self._alone(off, parts[found.worst(off[0].name)]) if off else {}
        rows = [row if row.agrees else self._settled(row, alone, rows) for row in rows]
        fault = self._fault(alone)
        outputs, reason = self._outputs(rows, parts)
        moved = max((self._moved_by_reading(part) for part in parts), default=0.0)
        result = Verification(
            tuple(rows), outputs, fault, tuple(skipped), self.tolerance, moved, inputs, reason, is_quantised(self.graph)
        )
        return replace(result, reason=in_words(result) if fault is not None or not reason else reason)

    def _parts(self, wanted: list[str]) -> list[_Part]:
        """The batch in the chunks that it is fed in, each with what the file itself gives."""
        if any(isinstance(value, list) for value in self.feeds.values()):  # sequences have no samples to be cut into
            whole = Chunk(self.feeds, 0, 0, whole=True)
            return [_Part(whole, self.variables, self.judge.outputs(self.feeds, once=True))]
        found = self._in_chunks(wanted)
        fixed = fixed_batch_of(self.graph)
        first = self.judge.outputs(found[0][0].feeds, once=True)
        if fixed_batch_of(self.graph) != fixed:  # it was tried there, and takes one sample alone
            found = self._in_chunks(wanted)
            first = self.judge.outputs(found[0][0].feeds, once=True)
        others = (self.judge.outputs(chunk.feeds, once=True) for chunk, _ in found[1:])
        given = [self._meant(outputs, chunk) for (chunk, _), outputs in zip(found, (first, *others))]
        return [_Part(chunk, own.feeds, outputs) for (chunk, own), outputs in zip(found, given)]

    def _in_chunks(self, wanted: list[str]) -> list[tuple[Chunk, Chunk]]:
        size, total = chunk_size(self.graph, self.feeds), sample_count(self.feeds)
        alike = {len(array) if array.ndim else 0 for array in self.feeds.values()} == {total}
        if fixed_batch_of(self.graph) is None and alike and total > 1:
            fed = {name: (min(size, total), *array.shape[1:]) for name, array in self.feeds.items()}
            largest = max(value_bytes(self.graph, shapes_at(self.graph, fed)).values(), default=0)
            size = 1 if self.judge.mixing.apart or largest > _MOST_OF_A_VALUE else size
        if size > 1:
            size = self.judge.mixing.chunk(self.feeds, tuple(wanted), size)
        both = zip(chunks(self.graph, self.feeds, size), chunks(self.graph, self.variables, size))
        return list(both)

    def _measured(self, wanted: list[str], parts: list[_Part]) -> _Measured:
        """Both engines side by side through the graph, part by part."""
        found, compared_ones = _Measured(), frozenset(wanted)
        ends = [name for name, array in parts[0].outputs.items() if _is_numeric(array)]
        ends = [name for name in ends if name in self.graph.producer_of and name in self.graph.depends_on_input]
        kept = {name for end in ends for name in (end, *self.steps.sources.get(end, ()))}
        scales = {
            self.steps.computed_scale(name) for name in wanted if self.steps.sources.get(name) == frozenset({name})
        }
        way = segments(self.graph, [*wanted, *ends], _sizes(self.graph, parts[0].chunk))
        for part in parts:
            judge, twin = by_the_judge(self.judge, part.chunk.feeds), by_the_twin(self.twin, part.variables)
            known: dict[str, Array] = {}
            for segment in way:
                expected = self._meant(judge.next(segment), part.chunk)
                got = self._meant({n: numpy_array(tensor) for n, tensor in twin.next(segment).items()}, part.chunk)
                known.update((name, array) for name, array in expected.items() if name in scales)
                part.judge.update((name, expected[name]) for name in segment.names if name in kept)
                part.twin.update((name, got[name]) for name in segment.names if name in kept)
                for name in segment.names:
                    if name in compared_ones:
                        self._measure(found, name, (expected[name], got[name]), known | expected)
                del expected, got  # before the next segment is computed
        return found

    def _measure(self, found: _Measured, name: str, pair: tuple[Array, Array], known: Mapping[str, Array]) -> None:
        """How far a value is apart, if it holds real or quantised numbers."""
        judge, twin = pair
        if np.issubdtype(judge.dtype, np.floating) or name in self.steps.quantised:
            steps = self.steps.between(name, judge, twin, known)
            found.add(name, difference(self.graph, name, judge, twin), steps)

    def _meant(self, values: Mapping[str, Array], chunk: Chunk) -> dict[str, Array]:
        """A chunk's values without what it was filled up with."""
        if chunk.whole or chunk.count == chunk.fed:
            return dict(values)
        along = {n for n, array in values.items() if has_batch_axis(self.graph, n, array, chunk.fed, [])}
        return {n: a[: len(a) // chunk.fed * chunk.count] if n in along else a for n, a in values.items()}

    def _comparable(self) -> tuple[list[str], list[str]]:
        """The values to compare, and those that hold nothing comparable: read or given, and computed from the input."""
        ends = {output.name for output in self.graph.outputs}
        read = [
            value
            for value in self.graph.values.values()
            if value.kind == "node" and (value.name in ends or value.name in self.graph.readers_of)
        ]
        tensors = set(tensors_of(self.graph, (value.name for value in read)))
        wanted: list[str] = []
        skipped: list[str] = []
        for value in read:
            numbers = value.is_float or not value.dtype or value.name in self.steps.quantised
            comparable = numbers and value.name in tensors and value.name in self.graph.depends_on_input
            comparable = comparable and is_comparable(self.graph, value.name)
            (wanted if comparable else skipped).append(value.name)
        return wanted, skipped

    def _compared(self, name: str, apart: Difference, steps: Sequence[float | None]) -> Comparison:
        found = compared(self.graph, name, apart, self.tolerance, short=self.short.get(name, ""))
        return replace(found, steps=_largest(steps))

    def _alone(self, off: list[Comparison], part: _Part) -> dict[str, Comparison]:
        """Own errors, by value, of every node that the values ``off`` are computed by; on one chunk of the batch."""
        nodes = [node for node in self.graph.needed_for(row.name for row in off) if node.operator != "Constant"]
        wanted = tensors_of(self.graph, dict.fromkeys(name for node in nodes for name in (*node.reads, *node.outputs)))
        wanted = [name for name in wanted if name in self.graph.producer_of]
        left = {node.index for node in nodes}
        judge = by_the_judge(self.judge, part.chunk.feeds)
        alone: dict[str, Comparison] = {}
        try:
            for segment in segments(self.graph, wanted, _sizes(self.graph, part.chunk)):
                known = {**part.chunk.feeds, **judge.given(segment), **judge.next(segment)}
                for node in segment.nodes:
                    if node.index in left:
                        left.remove(node.index)
                        alone |= self._node_alone(node, known)
        except (RuntimeRefusal, InputError):
            return {}
        return alone

    def _node_alone(self, node: Node, known: Mapping[str, Array]) -> dict[str, Comparison]:
        given = given_alone(self.twin.importer, node, known, self.twin.device) or {}
        own = ((name, self._own(name, known[name], given[name], known)) for name in given.keys() & known.keys())
        return {name: comparison for name, comparison in own if comparison is not None}

    def _own(self, name: str, judge: Array, twin: Array, known: Mapping[str, Array]) -> Comparison | None:
        """A value's error where its node was fed with the judge's inputs; None where nothing can be said."""
        found = compare(self.graph, name, judge, twin, self.tolerance)
        if np.isnan(found.absolute) or judge.dtype.kind not in "fiub":
            return None
        if name in self.steps.quantised:
            steps = self.steps.between(name, judge, twin, known)
            right = steps is not None and steps <= _STEP * (1 + self.tolerance)
            verdict: Verdict = "agrees" if right else "at fault"
            return replace(found, steps=steps, allowed=_STEP, rule="one step of quantisation", verdict=verdict)
        if judge.dtype.kind != "f":
            verdict = "agrees" if found.absolute == 0 else "at fault"
            return replace(found, allowed=0.0, rule="no difference of whole numbers", verdict=verdict)
        return found if found.agrees else replace(found, verdict="at fault")

    def _settled(self, row: Comparison, alone: Mapping[str, Comparison], rows: list[Comparison]) -> Comparison:
        """A value that is too far off, with what is known of why."""
        own = alone.get(row.name)
        if own is None:
            return replace(row, verdict="not settled")
        if not own.agrees:
            return replace(row, own=own, verdict="at fault")
        near = {other.name: other for other in rows}
        if self._within_a_step(row.name, near):
            return replace(row, own=own, verdict="one step", rule=self._step_rule(row.name))
        return replace(row, own=own, verdict="inherited")

    def _within_a_step(self, name: str, near: Mapping[str, Comparison]) -> bool:
        sources = [near.get(source) for source in self.steps.sources.get(name, ())]
        return bool(sources) and all(
            source is not None and source.steps is not None and source.steps <= _STEP * (1 + self.tolerance)
            for source in sources
        )

    def _step_rule(self, name: str) -> str:
        sources = self.steps.sources[name]
        return (
            "one step of quantisation"
            if sources == {name}
            else (f"what one step of {', '.join(map(repr, sorted(sources)[:3]))} makes of it")
        )

    def _fault(self, alone: Mapping[str, Comparison]) -> Fault | None:
        for node in self.graph.nodes:
            for name in node.outputs:
                if name in alone and not alone[name].agrees:
                    return self._fault_of(node, name, alone[name])
        return None

    def _fault_of(self, node: Node, name: str, own: Comparison) -> Fault:
        version = self.twin.importer.scope(node).version
        return Fault(node.name, node.operator, node.domain, version, name, own)

    def _outputs(self, rows: list[Comparison], parts: list[_Part]) -> tuple[tuple[Comparison, ...], str]:
        """The twin's outputs against the file's own; and the cause where the judge's optimisations move one."""
        names = [output.name for output in self.graph.outputs if output.name in {row.name for row in rows}]
        outputs, reason = [], ""
        for name in names:
            apart = [difference(self.graph, name, part.outputs[name], part.twin[name]) for part in parts]
            whole = of_all(self.graph, name, apart)
            agrees = compared(self.graph, name, whole).agrees
            known = [part.outputs if agrees else {**self._nearest(name, part), **part.outputs} for part in parts]
            steps = [self.steps.between(name, p.outputs[name], p.twin[name], own) for p, own in zip(parts, known)]
            output = self._compared(name, whole, steps)
            if not output.agrees and all(self._within(output, own, part.twin) for own, part in zip(known, parts)):
                output = replace(output, verdict="one step", rule=self._step_rule(name))
            if not output.agrees and not reason:
                worst = parts[int(np.argmax([part.absolute for part in apart]))]
                moved = moved_by_optimisations(
                    self.graph, name, worst.outputs[name], worst.twin[name], self._plain(worst)
                )
                reason = f"output {name!r} of the file itself is off by {described(output)}{moved}" if moved else ""
            outputs.append(output)
        return tuple(outputs), reason

    def _nearest(self, name: str, part: _Part) -> dict[str, Array]:
        """What the judge gives for the nearest values with a step, and their scales; cut there, so that it may fuse."""
        sources = self.steps.sources.get(name, frozenset())
        if not sources - {name}:
            return {}
        scales = {scale for source in sources if (scale := self.steps.computed_scale(source)) is not None}
        values = self.judge.values(part.chunk.feeds, sorted(sources | scales), once=True)
        return self._meant(values, part.chunk)

    def _within(self, output: Comparison, judge: Mapping[str, Array], twin: Mapping[str, Array]) -> bool:
        """Whether all that an output is computed from is off by a step at most."""
        sources = self.steps.sources.get(output.name, frozenset())
        steps = [self.steps.between(name, judge[name], twin[name], judge) for name in sources if name in twin]
        return len(steps) == len(sources) > 0 and all(
            step is not None and step <= _STEP * (1 + self.tolerance) for step in steps
        )

    def _plain(self, part: _Part) -> Values:
        return lambda names: self.judge.plain_outputs(part.chunk.feeds, names)

    def _moved_by_reading(self, part: _Part) -> float:
        ends = part.judge.keys() & part.outputs.keys()
        return max((compare(self.graph, n, part.outputs[n], part.judge[n]).absolute for n in ends), default=0.0)


def _largest(steps: Sequence[float | None]) -> float | None:
    """The largest of all parts; None where it is not known of one."""
    known = [step for step in steps if step is not None]
    return max(known) if known and len(known) == len(steps) else None


def _sizes(graph: Graph, chunk: Chunk) -> Mapping[str, int]:
    """The bytes of each value of a chunk, as far as they can be told."""
    shapes = {name: array.shape for name, array in chunk.feeds.items() if isinstance(array, np.ndarray)}
    return value_bytes(graph, shapes_at(graph, shapes))


def _is_numeric(array: object) -> bool:
    """No strings, no dictionaries."""
    return isinstance(array, np.ndarray) and array.dtype.kind in "fiub"
