"""``attack METHOD`` and ``attack evaluate`` as they are typed: documents, pictures, refusals, going on after a stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import onnxray.assess.robustness.evaluation as evaluation_file
from onnxray.cli.app import app
from support.paths import ROOT

SAMPLES = ROOT / "models" / "onnxray_models" / "lenet" / "samples"
FOUR, NINE, ONE = (SAMPLES / f"{name}.png" for name in ("4_0", "9_0", "1_0"))


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_attack_leaves_pictures_and_numbers(tmp_path: Path) -> None:
    found = document("attack", "pgd", "lenet", FOUR, "--eps", 90, "--target", 9, "--float", "-o", tmp_path / "run")
    (item,) = found["items"]
    assert item["success"]
    assert item["class"] == 9
    assert item["goal"] == "9"
    assert item["linf"] <= 90
    assert item["float"]["linf"] <= 90.001
    assert {"origin", "image", "perturbation"} == set(item["files"])
    assert (tmp_path / "run" / "sheet.png").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--eps", "0"], "eps"),
        (["--eps", "256"], "eps"),
        (["--target", "4"], "is of class 4 (4) already"),
        (["--target", "77"], "there is no class '77'"),
        (["--target", "9", "--untargeted"], "give one of them"),
        (["--target", "cosine < 2"], "holds already"),
        (["--target", "9", "--target", "1"], "2 targets were given for 1 images"),
    ],
)
def test_what_cannot_be_attacked_is_one_line(more: list[str], said: str, tmp_path: Path) -> None:
    result = run("attack", "pgd", "lenet", FOUR, *more, "-o", tmp_path / "run")
    assert result.exit_code in {1, 2}
    assert said in result.stderr
    assert not (tmp_path / "run" / "result.json").exists()


EVALUATED = (
    *("attack", "evaluate", "lenet", FOUR, NINE, ONE, "--norm", "l2", "--eps", "255,2000", "--attacks", "fgsm"),
    *("--trust-images", 0),
)


def evaluate(folder: Path, *more: object) -> Any:
    return document(*EVALUATED, "-o", folder, *more)


def plain(found: Any) -> Any:
    """Without what a clock says."""
    robustness = {**found["robustness"]}
    robustness["attacks"] = {
        name: {key: value for key, value in own.items() if key != "seconds"}
        for name, own in robustness["attacks"].items()
    }
    return found["items"], robustness


def test_labels_come_from_a_file(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,label\n4_0.png,4\n9_0.png,4\n1_0.png,1\n")
    found = evaluate(tmp_path / "run", "--labels", table)
    assert [item["correct"] for item in found["items"]] == [True, False, True]
    assert found["robustness"]["clean_accuracy"]["share"] == pytest.approx(2 / 3)
    assert [row["eps"] for row in found["robustness"]["curve"]] == [0, 255, 2000]
    for row in found["robustness"]["curve"]:
        alive = [
            item["smallest"] is None or item["smallest"] > row["eps"] for item in found["items"] if item["correct"]
        ]
        assert row["robust_accuracy"] == pytest.approx(sum(alive) / 3)
    assert (tmp_path / "run" / "curve.png").exists()


def test_an_evaluation_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_file, "group_size", lambda numbers: 1)
    whole = plain(evaluate(tmp_path / "whole"))
    calls = iter([False, True])
    original = evaluation_file._Group.attack

    def stopped(self: Any, *arguments: Any) -> None:
        if next(calls, False):
            raise KeyboardInterrupt
        original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(evaluation_file._Group, "attack", stopped)
        result = run(*EVALUATED, "-o", tmp_path / "run")
        assert result.exit_code == 130
    left = json.loads((tmp_path / "run" / "result.json").read_text())
    assert len(left["items"]) == 1
    refused = run(*EVALUATED, "--reach", 2, "-o", tmp_path / "run", "--resume")
    assert refused.exit_code == 1
    assert "reach" in refused.stderr
    assert plain(evaluate(tmp_path / "run", "--resume")) == whole
    for role in ("image", "origin"):
        for before, after in zip(
            sorted((tmp_path / "whole").glob(f"*{role}*")), sorted((tmp_path / "run").glob(f"*{role}*"))
        ):
            assert before.read_bytes() == after.read_bytes()
    assert np.isfinite(whole[1]["smallest_norm"]["median"])
