"""The gradient family on the command line: one document, its files, one-line refusals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import onnxray_models
from onnxray.cli.app import app

SAMPLES = {path.stem: str(path) for path in onnxray_models.samples("lenet")}
FOUR, NINE = SAMPLES["4_0"], SAMPLES["9_0"]
METHODS = (
    "gradient", "input-x-gradient", "guided-backpropagation", "deconvnet", "integrated-gradients", "smoothgrad", "lrp",
    "deeplift",
)  # fmt: skip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["saliency", *map(str, arguments)])


def document(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refused(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 1, (result.exit_code, result.stdout, result.exception)
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_saves_maps_arrays_and_a_sheet(method: str, tmp_path: Path) -> None:
    found = document(method, "lenet", FOUR, NINE, "-o", tmp_path / "run")
    assert found["method"]["name"] == method
    assert [item["class"] for item in found["items"]] == [4, 9]
    for item in found["items"]:
        files = {role: tmp_path / "run" / name for role, name in item["files"].items()}
        assert set(files) == {"image", "map", "overlay", "levels", "heat", "attribution"}
        heat, attribution = np.load(files["heat"]), np.load(files["attribution"])
        assert heat.shape == (28, 28)
        assert attribution.shape == (1, 28, 28)
        assert heat.max() == pytest.approx(item["maximum"])
        assert list(np.unravel_index(heat.argmax(), heat.shape)) == item["peak"]
        with Image.open(files["overlay"]) as overlay:
            assert overlay.size == (28, 28)
    assert (tmp_path / "run" / "sheet.png").stat().st_size > 0
    assert (tmp_path / "run" / "result.json").exists()


def test_numbers_of_integrated_gradients(tmp_path: Path) -> None:
    options = ("--gap", 0.001, "--steps", 2, "--baseline", "white", "--channels", "sum", "-o", tmp_path / "run")
    (item,) = document("integrated-gradients", "lenet", FOUR, *options)["items"]
    assert item["gap"] <= 0.001
    assert item["steps"] > 2
    assert item["baseline"] == "white"
    assert item["signed"] is True
    assert item["sum"] == pytest.approx(item["score_change"], rel=0.002)
    shown = run("integrated-gradients", "lenet", FOUR, "--gap", 0, "--max-steps", 32, "-o", tmp_path / "other")
    assert shown.exit_code == 0
    assert "gap" in shown.stdout
    (unmet,) = json.loads((tmp_path / "other" / "result.json").read_text())["items"]
    assert unmet["reason"].endswith("at 32 steps, above 0")


def test_smoothgrad_of_a_configured_method_with_a_seed(tmp_path: Path) -> None:
    options = ("--of", "input-x-gradient", "--setting", "baseline=white", "--setting", "channels=sum")
    options = (*options, "--samples", 3, "--average", "variance")
    heats = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        (item,) = document("smoothgrad", "lenet", FOUR, *options, "--seed", seed, "-o", tmp_path / folder)["items"]
        assert item["smoothed"] == "input-x-gradient"
        heats.append(np.load(tmp_path / folder / item["files"]["heat"]))
    np.testing.assert_array_equal(heats[0], heats[1])
    assert np.abs(heats[0] - heats[2]).max() > 0


def test_a_folder_of_images_and_a_target(tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    folder.mkdir()
    for name, path in (("b.png", FOUR), ("a.png", NINE)):
        (folder / name).write_bytes(Path(path).read_bytes())
    found = document("guided-backpropagation", "lenet", folder, "--target", "class:7", "-o", tmp_path / "run")
    assert [Path(item["path"]).name for item in found["items"]] == ["a.png", "b.png"]
    assert [item["target"] for item in found["items"]] == ["logit of class 7"] * 2
    assert any(note.startswith("guided rule on ") for note in found["notes"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gradient", "lenet", FOUR, "--target", "class:10"), "there is no class '10'; give a number from 0 to 9"),
        (
            ("integrated-gradients", "lenet", FOUR, "--steps", 99, "--max-steps", 9),
            "max_steps is 9; a whole number from 99 to 4096",
        ),
        (("smoothgrad", "lenet", FOUR, "--of", "nothing"), "there is no method 'nothing'"),
        (("guided-backpropagation", "lenet", FOUR, "--rectifiers", "Tanh"), "rectifiers is Tanh; Relu, Clip"),
        (("deconvnet", "lenet", FOUR, "--rectifiers", "PRelu"), "needs PRelu between the input and"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing(arguments: Any, message: str, tmp_path: Path) -> None:
    assert message in refused(*arguments, "-o", tmp_path / "run")
    assert not (tmp_path / "run").exists()
