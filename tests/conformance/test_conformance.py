"""Every case of the ``onnx`` wheel through ``to_torch``, against the table of expected outcomes.

After a change: ``python tests/conformance/update.py`` says what became better or worse and rewrites the tables.
"""

import pytest

from conformance import report, tables
from conformance.cases import SETS, cases
from conformance.outcome import REASONS, run
from conformance.sweep import VERSION, expected_of, unexpected

CHUNKS = {"node": 24, "light": 9}
WHOLE_NETWORKS = {5, 6}
"""Of the light set, one network a chunk, those that every run takes: ShuffleNet and SqueezeNet; the sweep takes all."""


def chunks() -> list[object]:
    """Every set in parts, by name."""
    parts = [(family, chunk) for family in SETS for chunk in range(CHUNKS.get(family, 1))]
    slow = {part for part in parts if part[0] == "light" and part[1] not in WHOLE_NETWORKS}
    return [pytest.param(*part, marks=[pytest.mark.slow] if part in slow else []) for part in parts]


@pytest.mark.parametrize(("family", "chunk"), chunks())
def test_cases(family: str, chunk: int) -> None:
    chosen = cases(family)[chunk :: CHUNKS.get(family, 1)]
    found = {case.name: run(case) for case in chosen}
    for outcome in found.values():
        report.count(family, outcome.kind)
    expected = expected_of(family, found)
    assert not unexpected(expected, found)


@pytest.mark.parametrize("family", SETS)
def test_table(family: str) -> None:
    """A table lists each case of its set once, nothing wrong, and refusals for the listed reasons alone."""
    path = tables.FOLDER / f"{family}.csv"
    table = tables.read(path)
    assert set(table.values()) <= {"pass", *(f"refused:{reason}" for reason in REASONS)}
    if tables.version(path) == VERSION:
        assert sorted(table) == [case.name for case in cases(family)]
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[1:] == sorted(f"{name},{outcome}" for name, outcome in table.items())


def test_the_share_that_passes() -> None:
    passing = sum(outcome == "pass" for outcome in tables.read(tables.FOLDER / "node.csv").values())
    assert passing >= 1560
    for family in SETS[1:]:
        table = tables.read(tables.FOLDER / f"{family}.csv")
        assert set(table.values()) <= {"pass", "refused:strings", "refused:training"}, family
