"""``attack universal``, ``attack apply``, ``attack eot`` and ``attack patch`` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from onnxray.cli.app import app
from onnxray.methods.attack.universal.universal import Universal
from support.paths import ROOT

SAMPLES = ROOT / "models" / "onnxray_models" / "lenet" / "samples"
FILES = sorted(SAMPLES.glob("*_[01].png"))
QUICK = ("--by", "gradient", "--eps", 90, "--epochs", 2, "--batch", 5)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_perturbation_is_made_and_added_to_others(tmp_path: Path) -> None:
    words = ("attack", "universal", "lenet", *FILES, "--held-out", 0.3, *QUICK, "-o", tmp_path / "made")
    found = document(*words)
    (item,) = found["items"]
    assert item["fitted"]["count"] == 14
    assert item["held_out"]["count"] == 6
    assert item["random_held_out"]["interval"][0] >= 0
    assert {"values", "perturbation", "before-1", "after-1"} <= set(item["files"])
    values = tmp_path / "made" / item["files"]["values"]
    assert values.name == "universal.npy"
    assert np.abs(np.load(values)).max() == pytest.approx(item["linf"])
    assert item["linf"] <= 90
    assert (tmp_path / "made" / "sheet.png").exists()
    assert "universal.npy" in (tmp_path / "made" / "index.html").read_text()
    applied = document("attack", "apply", "lenet", *FILES, "--perturbation", values, "-o", tmp_path / "applied")
    assert applied["fooling_rate"]["count"] == 20
    assert applied["fooling_rate"]["reached"] == item["fitted"]["reached"] + item["held_out"]["reached"]
    told = run("attack", "apply", "lenet", *FILES, "--perturbation", values, "-o", tmp_path / "told")
    assert f"{applied['fooling_rate']['reached']} of 20)" in told.stdout
    said = run("attack", "universal", "lenet", *FILES, *QUICK, "-o", tmp_path / "again")
    assert said.exit_code == 0
    assert "fooling rate" in said.stdout
    assert "no pictures were held out" in " ".join(said.stderr.split())


def test_a_stopped_run_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("attack", "universal", "lenet", *FILES, *QUICK, "-o")
    whole = document(*words, tmp_path / "whole")

    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Universal, "_item", stopped)
        assert run(*words, tmp_path / "run").exit_code == 130
    assert document(*words, tmp_path / "run", "--resume")["items"] == whole["items"]
    assert (tmp_path / "run" / "universal.npy").read_bytes() == (tmp_path / "whole" / "universal.npy").read_bytes()


def test_a_patch_leaves_sheets(tmp_path: Path) -> None:
    words = ("attack", "patch", "lenet", *FILES, "--target", 3, "--steps", 3, "--batch", 4, "--trials", 8)
    said = run(*words, "--shape", "circle", "--dpi", 72, "--print-mm", 60, "-o", tmp_path / "run")
    assert said.exit_code == 0, said.output
    assert "success at fresh places" in said.stdout
    (item,) = json.loads((tmp_path / "run" / "result.json").read_text())["items"]
    assert item["left_out"] == {"fitted": 2}
    assert (item["fitted"]["count"], item["print_mm"], item["dpi"]) == (8, 60.0, 72)
    assert {"sheet.png", "print.png", "print.pdf", "patch.png"} <= {path.name for path in (tmp_path / "run").iterdir()}
    assert "print.pdf" in (tmp_path / "run" / "index.html").read_text()


def test_the_rate_over_draws_is_told(tmp_path: Path) -> None:
    words = ("attack", "eot", "lenet", FILES[0], "--transform", "rotation=-9..9", "--transform", "jpeg=60..90")
    said = run(*words, "--eps", 60, "--steps", 2, "--draws", 2, "--trials", 7, "-o", tmp_path / "run")
    assert said.exit_code == 0, said.output
    assert "over fresh draws" in said.stdout
    (item,) = json.loads((tmp_path / "run" / "result.json").read_text())["items"]
    assert item["transformations"] == ["rotation=-9..9", "jpeg=60..90"]
    assert item["rate"]["count"] == item["rate_before"]["count"] == 7


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("universal", "lenet", FILES[0]), "give at least 2"),
        (("universal", "lenet", *FILES, "--eps", 0), "eps"),
        (("universal", "lenet", *FILES, "--held-out", SAMPLES), "hold out others"),
        (("universal", "lenet", *FILES, "--held-out", "nowhere"), "nowhere"),
        (("universal", "lenet", "EMPTY"), "without image files"),
        (("apply", "lenet", *FILES), "--perturbation universal.npy"),
        (("patch", "lenet", *FILES, "--target", 77), "there is no class '77'"),
        (("patch", "lenet", *FILES, "--transform", "spin=1..2"), "there are: scale, rotation"),
        (("eot", "lenet", FILES[0], "--transform", "rotation=9..-9"), "the smaller number comes first"),
    ],
)
def test_what_cannot_be_is_one_line(words: tuple[Any, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    words = tuple(tmp_path / "empty" if word == "EMPTY" else word for word in words)
    result = run("attack", *words, "-o", tmp_path / "run")
    assert result.exit_code in {1, 2}
    assert said in result.stderr
    assert not (tmp_path / "run" / "result.json").exists()
