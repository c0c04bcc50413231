"""Accuracy and calibration from their definitions, on the bundled digits."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import onnxray
import onnxray_models
from onnxray.assess.audit.check import Picture
from onnxray.assess.audit.checks.accuracy import Accuracy
from onnxray.errors import InputError


def digits(count: int = 12) -> list[Picture]:
    found = sorted(map(Path, onnxray_models.samples("lenet")))[:count]
    return [
        Picture(path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), label=k % 3, folder="digits")
        for k, path in enumerate(found)
    ]


def test_figures_are_those_of_the_formulas() -> None:
    model, pictures = onnxray.open("lenet"), digits()
    rows = Accuracy().measure(model, pictures, 0)
    said = model.predict_classes([one.path for one in pictures])
    right = np.array([int(k) == one.label for k, one in zip(said.classes, pictures)])
    outcome = Accuracy(bins=1).summarise(rows, pictures, 0.95)
    accuracy, calibration, *slices = outcome.figures
    assert accuracy.value == right.mean()
    assert calibration.value == pytest.approx(abs(said.probabilities.max(1).mean() - right.mean()))
    assert [one.slice for one in slices] == ["class=0", "class=1", "class=2", "folder=digits"]
    assert slices[1].value == right[1::3].mean()


def test_a_label_that_no_class_has_is_refused() -> None:
    (picture,) = digits(1)
    other = Picture(path=picture.path, sha256=picture.sha256, label="horse", folder="")
    with pytest.raises(InputError, match="horse"):
        Accuracy().measure(onnxray.open("lenet"), [other], 0)
