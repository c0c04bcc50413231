"""Accuracy and calibration from their definitions, on the bundled digits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.assess.audit.checks.accuracy import Accuracy
from onnxray.errors import InputError
from support import models
from support.auditing import digits, levels, opened, outcome, picture, rows_of, saved, values

NOT_A_NUMBER = "g (float[N,3,4,4] x) => (float[N,2] y) { f = Flatten (x) m = MatMul (f, w) y = Log (m) }"


def test_figures_are_those_of_the_formulas() -> None:
    model = onnxray.open("lenet")
    pictures = [replace(one, label=k % 3) for k, one in enumerate(digits())]
    told = outcome(Accuracy(bins=1), model, pictures)
    said = model.predict_classes([one.path for one in pictures])
    right = np.array([int(k) == one.label for k, one in zip(said.classes, pictures)])
    accuracy, calibration, *slices = told.figures
    assert accuracy.value == right.mean()
    assert calibration.value == pytest.approx(abs(said.probabilities.max(1).mean() - right.mean()))
    assert calibration.low is not None
    assert [one.slice for one in slices] == ["class=0", "class=1", "class=2", "folder=digits"]
    assert slices[1].value == right[1::3].mean()


def test_one_picture_and_pictures_without_a_label() -> None:
    (first, second) = digits(2)
    told = outcome(Accuracy(), onnxray.open("lenet"), [first, replace(second, label=None)])
    assert values(told)["accuracy", None] == 1.0
    assert told.figures[0].count == 1
    assert told.notes == ("1 pictures have no label and are left out",)
    none = outcome(Accuracy(), onnxray.open("lenet"), [replace(second, label=None)])
    assert none.figures[0].value is none.figures[1].value is None


def test_a_label_that_no_class_has_is_refused() -> None:
    (one,) = digits(1)
    with pytest.raises(InputError, match="horse"):
        rows_of(Accuracy(), onnxray.open("lenet"), [replace(one, label="horse")])


def test_a_picture_that_cannot_be_read_has_a_row_that_names_no_path(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"no picture")
    first, second = rows_of(Accuracy(), onnxray.open("lenet"), [picture(path, 1), *digits(1)])
    assert first.keys() == {"unreadable"}
    assert str(tmp_path) not in first["unreadable"]
    assert second["class"] == second["true"]


def test_scores_that_are_no_numbers_are_wrong_and_said(tmp_path: Path) -> None:
    model = opened(NOT_A_NUMBER, {"w": -np.abs(models.random(0, 48, 2))}, output="y=logits")
    told = outcome(Accuracy(), model, saved(tmp_path, [np.full((3, 4, 4), 9)], [1]))
    assert values(told)["accuracy", None] == 0.0
    assert levels(told) == ["warning"]


def test_what_is_no_classifier_of_pictures() -> None:
    arrays = onnxray.open(
        models.parse("g (float[N,3] x) => (float[N,2] y) { y = MatMul (x, w) }", {"w": models.random(0, 3, 2)})
    )
    assert Accuracy().unfit(arrays) == "its input is no picture"
    regression = opened(
        "g (float[N,3,4,4] x) => (float[N,2] y) { f = Flatten (x) y = MatMul (f, w) }",
        {"w": models.random(0, 48, 2)},
        output="y=regression",
    )
    assert "regression" in str(Accuracy().unfit(regression))
    assert Accuracy().unfit(onnxray.open("lenet")) is None
