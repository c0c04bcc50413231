"""Gradients of the passing cases against central differences of the reference; ``gradients`` says how.

A slice of two cases an operator runs by default; ``pytest -m slow`` runs the rest.
"""

from functools import cache

import pytest

from conformance import gradients, report, tables
from conformance.cases import Case
from conformance.sweep import VERSION, expected_of, gradient_cases, representative, unexpected

TABLE = "gradients"
GOOD = {"right", "single", "own", "zero"}


@cache
def _cases(part: str) -> tuple[Case, ...]:
    every = gradient_cases()
    chosen = {case.name for case in representative(every)}
    return tuple(case for case in every if (case.name in chosen) == (part == "slice"))


@pytest.mark.parametrize("chunk", range(12))
def test_slice(chunk: int) -> None:
    _check(_cases("slice")[chunk::12])


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(24))
def test_rest(chunk: int) -> None:
    _check(_cases("rest")[chunk::24])


def test_table() -> None:
    """Every passing case with real numbers on both sides is listed, none as wrong."""
    path = tables.FOLDER / f"{TABLE}.csv"
    table = tables.read(path)
    kinds = {outcome.partition(":")[0] for outcome in table.values()}
    assert kinds <= {*GOOD, "straight-through"}
    if tables.version(path) == VERSION:
        assert sorted(table) == sorted(case.name for case in gradient_cases())


def _check(chosen: tuple[Case, ...]) -> None:
    found = {case.name: gradients.run(case) for case in chosen}
    for outcome in found.values():
        report.count("gradients", outcome.kind)
    assert not unexpected(expected_of(TABLE, found), found, TABLE)
