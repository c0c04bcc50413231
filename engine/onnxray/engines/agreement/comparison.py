"""Twin against judge: how far two engines are apart on the same input, value by value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from onnxray.arrays import Array
from onnxray.engines.check_memory import Memory as Memory  # where scripts know it from
from onnxray.graph.facts import Graph
from onnxray.graph.unordered import in_one_order, unordered

TOLERANCE = 1e-3
"""The largest difference let pass, relative to the largest absolute number that the judge gives for the value."""

ROUNDINGS = 10
"""How many roundings of a short float are let pass on top where a value is, or comes from, one. An engine that fuses
rounds less often than one that does not; what that leaves grows like the square root of the depth."""

_SPACING = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
FLOOR = 1e-6
_BLOCK = 2**18
"""How many numbers are compared at once."""

Verdict = Literal["agrees", "empty", "one step", "inherited", "at fault", "not settled", "differs"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One value in both engines: ``absolute`` is max |twin - judge|, ``relative`` is that over max |judge|.

    ``allowed``: the largest absolute difference let pass, and ``rule`` why so much. ``steps``: the difference in steps
    of quantisation, where the value has one. ``own``: the same of the value's node alone, fed with what the judge gave
    for its inputs; where that was asked for. ``verdict``: ``agrees``; ``empty``: it has
    no numbers, so there was nothing to compare; ``one step``: off by no more than one step of
    quantisation, by what it inherits; ``inherited``: further off, while its node alone is right; ``at fault``: its
    node alone is wrong; ``not settled``: its node could not be run alone; ``differs``: nothing of that was looked at.
    """

    name: str
    node: str | None
    operator: str | None
    shape: tuple[int, ...]
    absolute: float
    relative: float
    allowed: float
    rule: str
    verdict: Verdict
    steps: float | None = None
    own: Comparison | None = None

    @property
    def agrees(self) -> bool:
        """Whether the difference is let pass."""
        return self.verdict in {"agrees", "empty", "one step"}


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one value is apart in both engines, on some samples: what ``compared`` judges.

    shape: of what the judge gives. alike: whether the twin's is the same. largest: max |judge|, of finite numbers.
    nothing, nowhere: whether the judge gives NaN throughout, and the twin as well.
    """

    shape: tuple[int, ...]
    dtype: str
    alike: bool
    size: int
    absolute: float
    largest: float
    nothing: bool
    nowhere: bool


def difference(graph: Graph, name: str, judge: Array, twin: Array) -> Difference:
    """max |twin - judge| of one value. What a TopK gives in an order of its own is compared as a set."""
    shape, dtype, alike = judge.shape, str(judge.dtype), judge.shape == twin.shape
    if not alike or judge.size == 0:
        return Difference(shape, dtype, alike, judge.size, 0.0 if alike else float("inf"), 0.0, False, False)
    judge, twin = (in_one_order(graph, name, side) for side in (judge, twin))
    absolute = largest = 0.0
    nothing = nowhere = True
    for expected, got in _in_blocks(judge, twin):
        absolute = max(absolute, float(differences(expected, got).max()))
        finite = np.abs(expected[np.isfinite(expected)])
        largest = max(largest, float(finite.max()) if finite.size else 0.0)
        nothing = nothing and bool(np.isnan(expected).all())
        nowhere = nowhere and bool(np.isnan(got).all())
    return Difference(shape, dtype, alike, judge.size, absolute, largest, nothing, nothing and nowhere)


def of_all(graph: Graph, name: str, parts: Sequence[Difference]) -> Difference:
    """The difference on all samples, from those on some of them after the other."""
    first = parts[0]
    if len(parts) == 1:
        return first
    filled = [part for part in parts if part.size] or [first]
    along = {part.shape[1:] for part in parts if part.shape}
    joined = len(along) == 1 and all(part.shape for part in parts) and name in graph.depends_on_input
    shape = (sum(part.shape[0] for part in parts), *first.shape[1:]) if joined else first.shape
    return Difference(
        shape, first.dtype, all(part.alike for part in parts), sum(part.size for part in parts),
        max(part.absolute for part in parts), max(part.largest for part in parts),
        all(part.nothing for part in filled), all(part.nowhere for part in filled),
    )  # fmt: skip


def compare(
    graph: Graph, name: str, judge: Array, twin: Array, tolerance: float = TOLERANCE, *, short: str = ""
) -> Comparison:
    """Compare one value that both engines gave; see ``compared``."""
    return compared(graph, name, difference(graph, name, judge, twin), tolerance, short=short)


def compared(
    graph: Graph, name: str, apart: Difference, tolerance: float = TOLERANCE, *, short: str = ""
) -> Comparison:
    """Judge one value: agrees where max|twin - judge| <= tolerance * max|judge| + 1e-6, shapes and NaN alike.

    A value that the judge gives as NaN throughout does not agree: nothing could be compared. Where the judge gives
    float16, or the value comes from it or from bfloat16 (``short`` says from which), ten spacings of that type
    (2^-10, 2^-7) are added to the tolerance.
    """
    short = short or apart.dtype
    rule = f"{tolerance:g} of the largest number"
    if short in _SPACING:
        tolerance += ROUNDINGS * _SPACING[short]
        rule += f" and {ROUNDINGS} roundings of {short}"
    value = graph.values.get(name)
    node, operator = (value.node, value.operator) if value is not None else (None, None)

    def found(absolute: float, relative: float, allowed: float) -> Comparison:
        verdict: Verdict = "agrees" if absolute <= allowed else "differs"
        return Comparison(name, node, operator, apart.shape, absolute, relative, allowed, rule, verdict)

    if not apart.alike:
        return found(float("inf"), float("inf"), 0.0)
    if apart.size == 0:
        return replace(found(0.0, 0.0, 0.0), verdict="empty")
    if apart.nothing:
        return found(float("nan"), float("nan"), 0.0)
    absolute, scale = apart.absolute, apart.largest
    relative = absolute / scale if scale else (0.0 if absolute == 0 else float("inf"))
    return found(absolute, relative, tolerance * scale + FLOOR)


def differences(judge: Array, twin: Array) -> Array:
    """|twin - judge| element by element; 0 where both are the same infinity or NaN, infinity where one alone is."""
    expected, got = judge.astype(np.float64), twin.astype(np.float64)
    same = (expected == got) | (np.isnan(expected) & np.isnan(got))
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.where(same, 0.0, np.abs(got - expected))
    return np.where(np.isnan(difference), np.inf, difference)


def largest_difference(judge: Array, twin: Array) -> float:
    """The largest of them, for which no more than a part of the arrays is held in float64; 0 where there is none."""
    return max((float(differences(*pair).max()) for pair in _in_blocks(judge, twin)), default=0.0)


def _in_blocks(judge: Array, twin: Array) -> Iterator[tuple[Array, Array]]:
    """Two arrays of one shape in float64, some of their numbers after the other."""
    if judge.size == 0:
        return
    for expected, got in np.nditer([judge, twin], ["external_loop", "buffered"], order="C", buffersize=_BLOCK):
        yield expected.astype(np.float64), got.astype(np.float64)


def described(comparison: Comparison) -> str:
    """A difference in words."""
    steps = "" if comparison.steps is None else f", {comparison.steps:.3g} steps"
    return f"{comparison.absolute:.3g} absolute, {comparison.relative:.3g} relative{steps} ({comparison.rule} allowed)"


def short_floats(graph: Graph) -> Mapping[str, str]:
    """Values that are, or are computed from, float16 or bfloat16 -> the shorter of them."""
    found: dict[str, str] = {}
    for value in graph.inputs:
        if value.dtype in _SPACING:
            found[value.name] = value.dtype
    for node in graph.nodes:
        for name in filter(None, node.outputs):
            inherited = {found[read] for read in node.reads if read in found}
            if name in graph.depends_on_input:
                inherited |= {graph.values[name].dtype} & _SPACING.keys()
            if inherited:
                found[name] = max(inherited, key=lambda dtype: _SPACING[dtype])
    return found


def is_comparable(graph: Graph, name: str, *, asked: bool = False) -> bool:
    """Whether both engines must give a value alike: not so what is computed from a TopK in an order of its own.

    asked: whether the twin asks the judge for that order.
    """
    node = unordered(graph).get(name)
    return node is None or name in node.outputs or asked


def is_quantised(graph: Graph) -> bool:
    """Whether some node rounds values to few steps: QuantizeLinear, QLinearConv, ConvInteger, ..."""
    marks = ("Quantize", "QLinear", "QGemm", "Integer")
    return any(mark in node.operator for node in graph.nodes for mark in marks)


def number(value: float) -> float | None:
    """A float for JSON: None in place of infinity and NaN."""
    return float(value) if np.isfinite(value) else None
