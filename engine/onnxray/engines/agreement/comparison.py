"""Twin against judge: how far two engines are apart on the same input, value by value."""

from __future__ import annotations

from collections.abc import Mapping
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


def compare(
    graph: Graph, name: str, judge: Array, twin: Array, tolerance: float = TOLERANCE, *, short: str = ""
) -> Comparison:
    """Compare one value: agrees where max|twin - judge| <= tolerance * max|judge| + 1e-6, shapes and NaN alike.

    A value that the judge gives as NaN throughout does not agree: nothing could be compared. Where the judge gives
    float16, or the value comes from it or from bfloat16 (``short`` says from which), ten spacings of that type
    (2^-10, 2^-7) are added to the tolerance. What a TopK gives in an order of its own is compared as a set.
    """
    short = short or str(judge.dtype)
    rule = f"{tolerance:g} of the largest number"
    if short in _SPACING:
        tolerance += ROUNDINGS * _SPACING[short]
        rule += f" and {ROUNDINGS} roundings of {short}"
    value = graph.values.get(name)
    node, operator = (value.node, value.operator) if value is not None else (None, None)

    def found(absolute: float, relative: float, allowed: float) -> Comparison:
        verdict: Verdict = "agrees" if absolute <= allowed else "differs"
        return Comparison(name, node, operator, judge.shape, absolute, relative, allowed, rule, verdict)

    if judge.shape != twin.shape:
        return found(float("inf"), float("inf"), 0.0)
    if judge.size == 0:
        return replace(found(0.0, 0.0, 0.0), verdict="empty")
    expected, got = (in_one_order(graph, name, side).astype(np.float64) for side in (judge, twin))
    if np.isnan(expected).all():
        return found(float("nan"), float("nan"), 0.0)
    difference = differences(expected, got)
    absolute = float(difference.max())
    finite = np.abs(expected[np.isfinite(expected)])
    scale = float(finite.max()) if finite.size else 0.0
    relative = absolute / scale if scale else (0.0 if absolute == 0 else float("inf"))
    return found(absolute, relative, tolerance * scale + FLOOR)


def differences(judge: Array, twin: Array) -> Array:
    """|twin - judge| element by element; 0 where both are the same infinity or NaN, infinity where one alone is."""
    expected, got = judge.astype(np.float64), twin.astype(np.float64)
    same = (expected == got) | (np.isnan(expected) & np.isnan(got))
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.where(same, 0.0, np.abs(got - expected))
    return np.where(np.isnan(difference), np.inf, difference)


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


def is_comparable(graph: Graph, name: str) -> bool:
    """Whether both engines must give a value alike: not so what is computed from a TopK in an order of its own."""
    node = unordered(graph).get(name)
    return node is None or name in node.outputs


def is_quantised(graph: Graph) -> bool:
    """Whether some node rounds values to few steps: QuantizeLinear, QLinearConv, ConvInteger, ..."""
    marks = ("Quantize", "QLinear", "QGemm", "Integer")
    return any(mark in node.operator for node in graph.nodes for mark in marks)


def number(value: float) -> float | None:
    """A float for JSON: None in place of infinity and NaN."""
    return float(value) if np.isfinite(value) else None
