"""Twin against judge at every value, and which node is at fault: its own error apart from what it inherits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from onnxray.arrays import Array, Arrays
from onnxray.engines.agreement.comparison import (
    TOLERANCE,
    Comparison,
    Verdict,
    compare,
    described,
    is_comparable,
    is_quantised,
    number,
    short_floats,
)
from onnxray.engines.agreement.outputs_check import moved_by_optimisations
from onnxray.engines.agreement.quantisation_steps import Steps
from onnxray.engines.agreement.single_node import given_alone, tensors_of
from onnxray.engines.chunks import chunk_size
from onnxray.engines.judge import Judge
from onnxray.engines.twin import Twin
from onnxray.errors import InputError, RuntimeRefusal
from onnxray.graph.facts import Graph, Node
from onnxray.graph.fixed_batch import fixed_batch_of

_STEP = 1
"""By how many steps of quantisation a value may be off by what it inherits, or a whole number by its own node: the
judge adds up in another order than torch, and what falls near the middle of a step is rounded either way."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A node that is wrong by itself: fed with the judge's inputs it gives ``value`` with the error ``own``."""

    node: str
    operator: str
    domain: str
    version: int
    value: str
    own: Comparison

    def __str__(self) -> str:
        domain = f"{self.domain}." if self.domain else ""
        return (
            f"node {self.node!r}, operator {domain}{self.operator} version {self.version}, is at fault: from the "
            f"judge's own inputs it gives {self.value!r} with {described(self.own)}"
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``Model.verify`` found.

    ``comparisons``: every value, in graph order, against a copy of the model that gives them all. ``outputs``: the
    twin's outputs against those of the file itself. ``fault``: the first node in graph order that is wrong by itself.
    ``outputs_moved``: max |output of that copy - output of the file itself| by the judge: how far reading moves what is
    read. ``skipped``: values that hold no real or quantised numbers. ``reason``: the verdict in words. ``arithmetic``:
    what the judge's products were, where this processor saturates them.
    """

    comparisons: tuple[Comparison, ...]
    outputs: tuple[Comparison, ...]
    fault: Fault | None
    skipped: tuple[str, ...]
    tolerance: float
    outputs_moved: float
    inputs: str
    reason: str
    quantised: bool
    arithmetic: str = ""

    @property
    def agrees(self) -> bool:
        """No node is wrong by itself, every value could be settled, and every output of the file agrees."""
        settled = all(comparison.verdict != "not settled" for comparison in self.comparisons)
        return self.fault is None and settled and all(output.agrees for output in self.outputs)

    @property
    def first_divergence(self) -> Comparison | None:
        """The first value in graph order that is off by more than is let pass, by its own node or by inheritance."""
        return next((comparison for comparison in self.comparisons if not comparison.agrees), None)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        first, fault = self.first_divergence, self.fault
        return {
            "agrees": self.agrees,
            "reason": self.reason,
            "tolerance": self.tolerance,
            "quantised": self.quantised,
            "arithmetic": self.arithmetic or None,
            "inputs": self.inputs,
            "outputs_moved_by_reading": number(self.outputs_moved),
            "fault": None
            if fault is None
            else {**{f.name: getattr(fault, f.name) for f in fields(fault)}, "own": _row(fault.own)},
            "first_divergence": None if first is None else _row(first),
            "outputs": [_row(output) for output in self.outputs],
            "values": [_row(comparison) for comparison in self.comparisons],
            "skipped": list(self.skipped),
        }


def verify(
    judge: Judge, twin: Twin, feeds: Arrays, variables: Arrays, inputs: str, tolerance: float = TOLERANCE
) -> Verification:
    """Compare every value, then every node that a value too far off is computed by, alone and with the judge's inputs.

    A value is let off by ``tolerance`` (see ``compare``). Where it is computed from quantised ones it may be off by one
    step, or by what one step of each of the nearest quantised values makes of it, if its node alone is right.
    """
    graph = judge.graph
    return _Run(graph, judge, twin, feeds, variables, tolerance).verify(inputs)


class _Run:
    """One verification in the making."""

    def __init__(
        self, graph: Graph, judge: Judge, twin: Twin, feeds: Arrays, variables: Arrays, tolerance: float
    ) -> None:
        self.graph, self.judge, self.twin = graph, judge, twin
        self.feeds, self.variables, self.tolerance = feeds, variables, tolerance
        self.steps = Steps(graph)
        self.short = short_floats(graph)

    def verify(self, inputs: str) -> Verification:
        wanted, skipped = self._comparable()
        expected = self.judge.values(self.feeds, wanted)
        found = self.twin.values(self.variables, wanted)
        rows = []
        for name in wanted:
            if np.issubdtype(expected[name].dtype, np.floating) or name in self.steps.quantised:
                rows.append(self._compared(name, expected[name], found[name], expected))
            else:
                skipped.append(name)
        ends = {output.name for output in self.graph.outputs}
        unfilled = {row.name for row in rows if _nothing(expected, found, row)}
        if not unfilled & ends:  # else the weights may hold NaN, and the first value that is NaN is to be named
            rows = [replace(row, verdict="empty") if row.name in unfilled else row for row in rows]
        off = [row for row in rows if not row.agrees]
        alone = self._alone(off, expected, found) if off else {}
        rows = [row if row.agrees else self._settled(row, alone, rows) for row in rows]
        fault = self._fault(alone)
        outputs, reason = self._outputs(rows, found)
        moved = self._moved_by_reading(wanted)
        result = Verification(
            tuple(rows), outputs, fault, tuple(skipped), self.tolerance, moved, inputs, reason, is_quantised(self.graph)
        )
        return replace(result, reason=_in_words(result) if fault is not None or not reason else reason)

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

    def _compared(self, name: str, judge: Array, twin: Array, known: Mapping[str, Array]) -> Comparison:
        found = compare(self.graph, name, judge, twin, self.tolerance, short=self.short.get(name, ""))
        return replace(found, steps=self.steps.between(name, judge, twin, known))

    def _alone(
        self, off: list[Comparison], expected: Mapping[str, Array], found: Mapping[str, Array]
    ) -> dict[str, Comparison]:
        """Own errors, by value, of every node that the values ``off`` are computed by."""
        nodes = [node for node in self.graph.needed_for(row.name for row in off) if node.operator != "Constant"]
        feeds = self._chunk_of(expected[off[0].name], found[off[0].name])
        wanted = tensors_of(self.graph, dict.fromkeys(name for node in nodes for name in (*node.reads, *node.outputs)))
        wanted = [name for name in wanted if name in self.graph.producer_of]
        try:
            known = {**feeds, **self.judge.values(feeds, wanted, once=True)}
        except (RuntimeRefusal, InputError):
            return {}
        alone: dict[str, Comparison] = {}
        for node in nodes:
            given = given_alone(self.twin.importer, node, known, self.twin.device) or {}
            for name in given.keys() & known.keys():
                own = self._own(name, known[name], given[name], known)
                if own is not None:
                    alone[name] = own
        return alone

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

    def _chunk_of(self, judge: Array, twin: Array) -> dict[str, Array]:
        """The chunk of the feeds in which two arrays of a value are furthest apart, as it was fed to the judge."""
        counts = {len(array) if array.ndim else 0 for array in self.feeds.values()}
        size = chunk_size(self.graph, self.feeds)
        total = next(iter(counts))
        if len(counts) > 1 or (total <= size and fixed_batch_of(self.graph) is None):
            return dict(self.feeds)
        start = 0
        if judge.shape == twin.shape and judge.ndim and len(judge) == total:
            apart = np.abs(judge.astype(np.float64) - twin.astype(np.float64)).reshape(total, -1)
            start = int(np.nan_to_num(apart, nan=np.inf).max(1).argmax()) // size * size
        part = {name: array[start : start + size] for name, array in self.feeds.items()}
        missing = size - len(next(iter(part.values()))) if fixed_batch_of(self.graph) is not None else 0
        return {name: np.concatenate([array, *[array[-1:]] * missing]) for name, array in part.items()}

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

    def _outputs(self, rows: list[Comparison], found: Mapping[str, Array]) -> tuple[tuple[Comparison, ...], str]:
        """The twin's outputs against the file's own; and the cause where the judge's optimisations move one."""
        names = [output.name for output in self.graph.outputs if output.name in {row.name for row in rows}]
        given = self.judge.outputs(self.feeds, names) if names else {}
        outputs, reason = [], ""
        for name in names:
            scales = self._nearest(name) if not compare(self.graph, name, given[name], found[name]).agrees else {}
            output = self._compared(name, given[name], found[name], scales | given)
            if not output.agrees and self._file_within_a_step(output, scales | given, found):
                output = replace(output, verdict="one step", rule=self._step_rule(name))
            if not output.agrees and not reason:
                moved = moved_by_optimisations(self.graph, name, given[name], found[name], self._plain)
                reason = f"output {name!r} of the file itself is off by {described(output)}{moved}" if moved else ""
            outputs.append(output)
        return tuple(outputs), reason

    def _nearest(self, name: str) -> dict[str, Array]:
        """What the judge gives for the nearest values with a step, and their scales; cut there, so that it may fuse."""
        sources = self.steps.sources.get(name, frozenset())
        if not sources - {name}:
            return {}
        scales = {scale for source in sources if (scale := self.steps.computed_scale(source)) is not None}
        return self.judge.values(self.feeds, sorted(sources | scales), once=True)

    def _file_within_a_step(self, output: Comparison, judge: Mapping[str, Array], found: Mapping[str, Array]) -> bool:
        sources = self.steps.sources.get(output.name, frozenset())
        steps = [self.steps.between(name, judge[name], found[name], judge) for name in sources if name in found]
        return len(steps) == len(sources) > 0 and all(
            step is not None and step <= _STEP * (1 + self.tolerance) for step in steps
        )

    def _plain(self, names: Any) -> Mapping[str, Array]:
        return self.judge.plain_outputs(self.feeds, names)

    def _moved_by_reading(self, wanted: list[str]) -> float:
        outputs = self.judge.outputs(self.feeds)
        promoted = self.judge.promoted_outputs(self.feeds, wanted)
        numeric = [name for name, array in outputs.items() if array.dtype.kind in "fiub"]  # no strings, no dictionaries
        return max((compare(self.graph, n, outputs[n], promoted[n]).absolute for n in numeric), default=0.0)


def _nothing(judge: Mapping[str, Array], twin: Mapping[str, Array], row: Comparison) -> bool:
    """Whether a value is NaN throughout in both, as a mask is that ConstantOfShape fills with NaN."""
    return bool(np.isnan(row.absolute)) and bool(np.isnan(judge[row.name]).all() and np.isnan(twin[row.name]).all())


def _in_words(found: Verification) -> str:
    """The verdict, one line."""
    if found.fault is not None:
        return str(found.fault)
    open_ones = [row for row in found.comparisons if row.verdict == "not settled"]
    if open_ones and np.isnan(open_ones[0].absolute):
        return f"value {open_ones[0].name!r} is NaN throughout, so it was not compared; are there NaN in the weights?"
    if open_ones:
        return f"value {open_ones[0].name!r} is off by {described(open_ones[0])}, and its node could not be run alone"
    inherited = [row for row in found.comparisons if row.verdict == "inherited"]
    off = [output for output in found.outputs if not output.agrees]
    if inherited or off:
        told = "accumulated rounding; no node is at fault alone"
        if off:
            return f"{told}, but output {off[0].name!r} of the file itself is off by {described(off[0])}"
        return f"{told}: {len(inherited)} values are off by what they inherit, the outputs agree"
    stepped = [row for row in found.comparisons if row.verdict == "one step"]
    if stepped:
        return f"{len(stepped)} values are off by one step of quantisation that they inherit; every node alone is right"
    empty = [row for row in found.comparisons if row.verdict == "empty"]
    return "every value agrees" + (f"; {len(empty)} are empty, with nothing to compare" if empty else "")


def _row(comparison: Comparison) -> dict[str, Any]:
    row = {field.name: getattr(comparison, field.name) for field in fields(comparison) if field.name != "own"}
    steps, own = comparison.steps, comparison.own
    return row | {
        "shape": list(comparison.shape),
        "absolute": number(comparison.absolute),
        "relative": number(comparison.relative),
        "steps": None if steps is None else number(steps),
        "own_absolute": None if own is None else number(own.absolute),
        "own_relative": None if own is None else number(own.relative),
        "agrees": comparison.agrees,
    }
