"""LRP and DeepLIFT on the command line: their numbers in the document, tables, compare and check, refusals of one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner, Result

import onnxray_models
from onnxray.cli.app import app
from support import models

FOUR = str({path.stem: path for path in onnxray_models.samples("lenet")}["4_0"])


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["saliency", *map(str, arguments)])


def document(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_the_sum_of_the_map_and_what_is_missing_of_the_score(tmp_path: Path) -> None:
    found = document("lrp", "lenet", FOUR, "--composite", "epsilon-gamma-box", "-o", tmp_path / "run")
    (item,) = found["items"]
    total = float(np.load(tmp_path / "run" / item["files"]["attribution"]).sum())
    assert item["relevance"] == pytest.approx(total, rel=1e-4)
    assert item["conservation_gap"] == pytest.approx(
        (item["target_score"] - total) / abs(item["target_score"]), abs=1e-4
    )
    assert item["signed"]
    assert item["unit"] == "logit"
    assert any(note.startswith("rules of the linear layers: ") for note in found["notes"])
    (own,) = document("lrp", "lenet", FOUR, "--rule", "gamma", "--first-rule", "z-box", "-o", tmp_path / "own")["items"]
    assert own["relevance"] == pytest.approx(item["relevance"])


def test_deeplift_sums_to_the_change_of_the_score(tmp_path: Path) -> None:
    (item,) = document("deeplift", "lenet", FOUR, "--baseline", "white", "-o", tmp_path / "run")["items"]
    total = float(np.load(tmp_path / "run" / item["files"]["attribution"]).sum())
    assert item["score_change"] == pytest.approx(total, rel=1e-4)
    assert item["gap"] < 1e-4


@pytest.mark.parametrize("method", ["lrp", "deeplift"])
def test_rows_of_a_table(method: str, tmp_path: Path) -> None:
    text = "net (float[N,3] x) => (float[N,2] z) { h = Gemm (x, w, b)\n r = Relu (h)\n z = MatMul (r, v) }"
    weights = {"w": models.random(1, 3, 8), "b": models.random(2, 8), "v": models.random(3, 8, 2)}
    onnx.save(models.parse(text, weights), tmp_path / "table.onnx")
    (tmp_path / "rows.csv").write_text("age,mass,dose\n1,2,3\n-1,0.5,2\n")
    items = document(method, tmp_path / "table.onnx", tmp_path / "rows.csv", "--target", "1", "-o", tmp_path / "run")
    assert [len(np.load(tmp_path / "run" / item["files"]["heat"])) for item in items["items"]] == [3, 3]


def test_in_compare_and_in_check(tmp_path: Path) -> None:
    options = ("--quick", "--set", "lrp.dense-rule=gamma", "-o", tmp_path / "compare")
    found = document("compare", "lenet", FOUR, "--methods", "lrp,deeplift", *options)
    assert [item["method"] for item in found["items"]] == ["lrp", "deeplift"]
    assert run("check", "deeplift", "lenet", FOUR, "-o", tmp_path / "check").exit_code == 0


@pytest.mark.parametrize(("arguments", "status", "said"), [
    (("lrp", "--score", "probability"), 1, "the probability of class 4 is no sum of summands at 'ip2'"),
    (("lrp", "--rule", "zplus"), 2, "'zplus' is not one of 'epsilon', 'gamma'"),
    (("lrp", "--epsilon", "-1"), 1, "epsilon is -1.0; a number from 0 to"),
    (("lrp", "--target", "prob:4", "--composite", "epsilon-gamma-box"), 0, ""),
    (("deeplift", "--baseline", "black", "--trials", "0"), 1, "trials is 0; a whole number from 1"),
])  # fmt: skip
def test_refusals(arguments: tuple[str, ...], status: int, said: str, tmp_path: Path) -> None:
    result = run(arguments[0], "lenet", FOUR, *arguments[1:], "-o", tmp_path / "run")
    assert result.exit_code == status, (result.stderr, result.exception)
    lines = [line for line in result.stderr.splitlines() if line.startswith("onnxray: ")]
    assert len(lines) == (1 if status else 0)
    assert said in result.stderr
