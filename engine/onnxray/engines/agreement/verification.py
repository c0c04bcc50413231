"""What a verification says: every value in both engines, the first node at fault, the verdict in words."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from onnxray.engines.agreement.comparison import Comparison, described, number
from onnxray.notebooks.displayed import Displayed, one_line


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
class Verification(Displayed):
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

    def __repr__(self) -> str:
        return one_line(
            self, f"{'agrees' if self.agrees else 'DISAGREES'}: {self.reason}, {len(self.comparisons)} values"
        )

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


def in_words(found: Verification) -> str:
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
