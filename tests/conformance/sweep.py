"""Sweeps over the cases, and how their outcomes are held against the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx

from conformance import gradients, tables
from conformance.cases import SETS, Case, cases, operators
from conformance.outcome import Outcome
from conformance.references import flat

VERSION = onnx.__version__
LARGE = 20_000
COMMENTS = {
    **{family: f"what becomes of the cases of the set {family!r}, onnx" for family in SETS},
    "zoo": "what becomes of the models in ../shared/zoo, onnx",
    "gradients": "how the gradient of every passing case with real inputs and outputs was found right, onnx",
}


def expected_of(table: str, names: Iterable[str]) -> dict[str, str]:
    """The part of a table that these cases are in."""
    known = tables.read(tables.FOLDER / f"{table}.csv")
    return {name: known[name] for name in names if name in known}


def unexpected(expected: Mapping[str, str], found: Mapping[str, Outcome], table: str = "node") -> list[str]:
    """What is not as expected, in words; under another onnx than the table's only what is worse."""
    same = tables.version(tables.FOLDER / f"{table}.csv") == VERSION
    kinds = {name: outcome.kind for name, outcome in found.items()}
    changed = tables.changes(expected, kinds, {name: outcome.why for name, outcome in found.items()})
    return [str(change) for change in changed if same or change.worse]


def gradient_cases() -> list[Case]:
    """The cases of all sets that pass by the tables and take and give real numbers, by name."""
    found = []
    for family in SETS:
        table = tables.read(tables.FOLDER / f"{family}.csv")
        found += [case for case in cases(family) if table.get(case.name) == "pass" and gradients.has_gradient(case)]
    return found


def representative(chosen: Iterable[Case]) -> list[Case]:
    """Two cases for every operator, without expanded functions and those that the reference takes seconds for."""
    seen: dict[frozenset[str], int] = {}
    found = []
    for case in chosen:
        used = operators(case.model)
        seen[used] = seen.get(used, 0) + 1
        large = sum(np.size(value) for value in flat(case.data[0][0])) > LARGE
        if seen[used] <= 2 and not large and "_expanded" not in case.name:
            found.append(case)
    return found
