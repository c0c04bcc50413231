"""Rows of tables under attack: trees, by the judge alone; what is saved of them, and in what units."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.images.files import read_png
from onnxray.methods.attack.base import Attack
from onnxray.methods.attack.decision.hopskipjump import HopSkipJump
from onnxray.methods.attack.decision.rays import RayS
from onnxray.methods.attack.gradient.pgd import PGD
from onnxray.methods.attack.item import AttackItem
from onnxray.methods.attack.score.square import Square
from onnxray.report.attack_report import sheets
from onnxray.results.result import Result
from support import models
from support.children import child
from support.trees import LABELS, forest

ROWS = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32) * np.array([1, 5, 1, 1, 1, 1], np.float32)
DECISIONS = [RayS(steps=100), HopSkipJump(steps=4, first_draws=20)]


@pytest.mark.parametrize("method", [Square(eps=90.0, steps=200), *DECISIONS], ids=lambda one: one.name)
def test_what_is_saved_of_a_row_is_what_onnx_runtime_calls_otherwise(method: Attack, tmp_path: Path) -> None:
    result = method(onnxray.open(forest()), ROWS)
    result.save(tmp_path / "run")
    document = json.loads((tmp_path / "run" / "result.json").read_text())
    for entry, row in zip(document["items"], ROWS):
        files = {role: tmp_path / "run" / name for role, name in entry["files"].items()}
        image, origin, change = (np.load(files[f"{role} x"]) for role in ("image", "origin", "perturbation"))
        label = models.run(onnx.load_from_string(forest()), {"x": image[None]})[0][0]
        assert entry["success"] == (label != entry["origin"]["label"])
        assert entry["label"] == label
        assert np.array_equal(origin, row)
        assert np.array_equal(change, image - origin)
        moved, unit = entry["moved"]["x"], np.ptp(row.astype(float)) / 255
        assert moved["kind"] == "table row"
        assert moved["unit"] == pytest.approx(unit)
        assert moved["linf"] == pytest.approx(np.abs(change).max())
        assert entry["linf"] == pytest.approx(np.abs(change).max() / unit, rel=1e-4)
        assert entry["l2"] == pytest.approx(np.linalg.norm(change) / unit, rel=1e-4)
        if entry["eps"] is not None:
            assert entry["linf"] <= entry["eps"]
        assert read_png(files["figure x"]).shape[0] == 3
    assert any(entry["success"] for entry in document["items"])
    assert not sheets(result)
    back = Result.load(tmp_path / "run", AttackItem)
    assert [item.numbers() for item in back.items] == [item.numbers() for item in result.items]
    assert any("own units" in note for note in document["notes"])


@pytest.mark.parametrize("method", DECISIONS, ids=lambda one: one.name)
def test_a_label_alone_is_enough_for_decisions(method: Attack) -> None:
    """The same rows as of the file that gives scores as well."""
    alone, both = (method(onnxray.open(forest(alone=alone)), ROWS).items for alone in (True, False))
    for own, other in zip(alone, both):
        assert own.success
        assert (own.origin.label, own.judged.label) == (other.origin.label, other.judged.label)
        assert np.array_equal(own.arrays_["image x"], other.arrays_["image x"])
        assert own.goal == f"not {own.origin.label}"
        assert own.judged.class_ is None


def test_a_label_alone_is_aimed_at_by_its_text() -> None:
    model = onnxray.open(forest(alone=True))
    for item in RayS(steps=100)(model, ROWS, LABELS[2]).items:
        assert item.goal == LABELS[2]
        assert item.success == (item.judged.label == LABELS[2])
    with pytest.raises(InputError, match=r"image 0 has the label 'beech' already; give another"):
        RayS(steps=10)(model, ROWS, "beech")
    with pytest.raises(InputError, match="2 targets were given for 4 images"):
        RayS(steps=10)(model, ROWS, ["ash", "cedar"])


@pytest.mark.parametrize("method", [Square(), PGD()], ids=lambda one: one.name)
def test_a_label_alone_is_not_enough_for_scores(method: Any) -> None:
    with pytest.raises(InputError, match=r"output 'label' gives labels alone.*hopskipjump, rays or noise"):
        method(onnxray.open(forest(alone=True)), ROWS)


def test_the_judge_alone_imports_no_torch(tmp_path: Path) -> None:
    """Every attack that says it needs no gradient, but for those that are handed a file, and of linear files."""
    (tmp_path / "trees.onnx").write_bytes(forest())
    np.save(tmp_path / "rows.npy", ROWS[:1])
    code = f"""
import sys, numpy, onnxray
from onnxray.methods.attack.base import Attack
from onnxray.methods.catalogue import family
model = onnxray.open({str(tmp_path / "trees.onnx")!r})
rows = numpy.load({str(tmp_path / "rows.npy")!r})
for name, method in family(Attack).items():
    if not method.needs_gradients and name not in ("apply", "transfer", "surrogate", "linear"):
        item = method(queries=80)(model, rows).items[0]
        assert item.queries["judge"] > 0 and not item.queries["forward"], name
        print(name)
assert "torch" not in sys.modules
"""
    process = child("-c", code)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert {"square", "hopskipjump", "rays"} <= set(out.split())
