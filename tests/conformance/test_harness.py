"""The harness itself: a wrong number, a wrong gradient and a nameless refusal do not get past it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import onnxray
from conformance import gradients, outcome, tables
from conformance.cases import Case
from onnxray.errors import UnsupportedOperator
from support import models

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], np.float32)
TANH = Case("node", "tanh", models.parse("g (float[2,3] x) => (float[2,3] y) { y = Tanh (x) }"), (([X], [np.tanh(X)]),))
FLOOR = Case(
    "node", "floor", models.parse("g (float[2,3] x) => (float[2,3] y) { y = Floor (x) }"), (([X], [np.floor(X)]),)
)


class _Given(nn.Module):
    """A module in place of the converted one."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[torch.Tensor], torch.Tensor]], None]:
    """Have ``to_torch`` give a function of the test's own."""

    def give(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        monkeypatch.setattr(onnxray, "to_torch", lambda model, verify: _Given(function), raising=False)

    return give


def _raise(message: str, kind: type[Exception] = UnsupportedOperator) -> Callable[[torch.Tensor], torch.Tensor]:
    def function(x: torch.Tensor) -> torch.Tensor:
        raise kind(message)

    return function


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (torch.tanh, "pass"),
        (lambda x: torch.tanh(x) * 1.01, "wrong"),
        (lambda x: torch.tanh(x).double(), "wrong"),
        (lambda x: torch.tanh(x)[:, :2], "wrong"),
        (lambda x: [torch.tanh(x)], "wrong"),
        (_raise("operator Tanh version 13 is not supported: no reason"), "refused:stated"),
        (_raise("operator Tanh version 13 is not supported: there is no converter for it"), "refused:no-converter"),
        (_raise("operator Tanh cannot"), "crash"),
        (_raise("size mismatch", RuntimeError), "crash"),
    ],
)
def test_outcomes(converted: Callable[..., None], function: Callable[[torch.Tensor], torch.Tensor], kind: str) -> None:
    converted(function)
    assert outcome.run(TANH).kind == kind


def test_numbers_that_are_drawn_are_not_compared() -> None:
    model = models.parse("g (float[2,3] x) => (float[2,3] y) { y = RandomUniformLike (x) }")
    assert outcome.is_random(model)
    assert not outcome.is_random(TANH.model)


@pytest.mark.parametrize(
    ("case", "function", "kind"),
    [
        (TANH, torch.tanh, "right"),
        (TANH, lambda x: torch.tanh(x).detach() + 0 * x, "wrong"),
        (TANH, lambda x: torch.tanh(x).detach(), "wrong"),
        (TANH, lambda x: torch.tanh(x) + 1e-3 * (x - x.detach()), "wrong"),
        (TANH, lambda x: torch.tanh(x) + (torch.zeros_like(x) * x).sqrt(), "wrong"),
        (TANH, lambda x: torch.tanh(x.round(decimals=1)), "wrong"),
        (FLOOR, torch.floor, "zero"),
        (FLOOR, lambda x: x + (x.floor() - x).detach(), "wrong"),
    ],
)
def test_gradients(
    converted: Callable[..., None], case: Case, function: Callable[[torch.Tensor], torch.Tensor], kind: str
) -> None:
    converted(function)
    assert gradients.run(case).kind == kind


def test_a_table_only_gets_better(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    tables.write(path, {"b": "refused:stated", "a": "pass"}, "things 1.2")
    assert path.read_text() == "# things 1.2\na,pass\nb,refused:stated\n"
    assert (tables.read(path), tables.version(path)) == ({"a": "pass", "b": "refused:stated"}, "1.2")
    found = tables.changes(tables.read(path), {"a": "wrong", "b": "pass", "c": "crash", "d": "pass"})
    assert [(change.case, change.worse) for change in found] == [("a", True), ("b", False), ("c", True), ("d", False)]
    assert [change.worse for change in tables.changes({"a": "pass"}, {})] == [True]


def test_counts() -> None:
    words = tables.counts({"pass": 1200, "refused:strings": 3, "refused:type": 2, "wrong": 1})
    assert words == "1,200 pass, 5 refused (strings 3, type 2), 1 wrong, 0 crash of 1,206"
