"""``onnxray compare``: what is a model and what an image, profiles, tables and documents."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.images.files import read_png, save_png
from onnxray.images.profile.toml_form import toml_of
from support import models


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with two models, their profile and pictures, which is worked in."""
    folder, before = tmp_path_factory.mktemp("compared"), Path.cwd()
    os.chdir(folder)
    for name, seed in (("a", 0), ("b", 1)):
        onnx.save(models.lenet(weights=models.lenet_weights(seed)), f"{name}.onnx")
    Path("p.toml").write_text(toml_of(models.GREY))
    Path("q.toml").write_text(toml_of(models.GREY).replace("std = [0.5]", "std = [0.25]"))
    Path("pictures").mkdir()
    Path("empty").mkdir()
    for k in range(3):
        pixels = np.random.default_rng(k).integers(0, 256, (1, 14, 14)).astype(np.uint8)
        save_png(Path(f"pictures/{k}.png"), pixels)
    yield folder
    os.chdir(before)


def test_a_document_and_pictures(place: Path) -> None:
    result = run("compare", "a.onnx", "b.onnx", "pictures", "--profile", "p.toml", "-o", "r", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    opened = [onnxray.open(f"{name}.onnx", "p.toml") for name in "ab"]
    said = [model.predict_classes("pictures").classes.tolist() for model in opened]
    assert [[item[name]["class"] for item in found["items"]] for name in "ab"] == said
    assert found["models"][0]["path"].endswith("b.onnx")
    assert found["models"][0]["sha256"] == opened[1].graph.sha256
    assert found["method"]["options"]["method"]["name"] == "grad-cam"
    assert found["files"] == ["index.html", "layers.png", "sheet.png"]
    for item in found["items"]:
        assert set(item["files"]) == {"image", "map-a", "map-b", "difference", "heat-a", "heat-b"}
        assert read_png(Path("r") / item["files"]["difference"]).shape == (3, 14, 14)
    names = [entry["path"] for entry in found["made_from"]["files"]]
    assert names[:2] == ["a.onnx", "b.onnx"]
    assert "pictures" in names


def test_tables_for_people(place: Path) -> None:
    result = run("compare", "a.onnx", "b.onnx", "pictures/0.png", "--profile", "p.toml", "--method", "none", "-o", "t")
    assert result.exit_code == 0, result.stderr
    for said in ("A says", "largest change", "conv1", "they part at conv1", "4 layers with weights of 4 and 4 matched"):
        assert said in result.stdout
    assert not list(Path("t").glob("*map*"))


def test_a_model_that_comes_with_onnxray_is_one(place: Path) -> None:
    result = run("compare", "lenet", "lenet", "pictures/0.png", "--method", "none", "-o", "l", "--json")
    assert result.exit_code == 0, result.stderr
    assert "model 2 is the same file as model 1" in result.stderr
    assert json.loads(result.stdout)["models"][0]["parts_at"] is None


def test_a_profile_of_its_own(place: Path) -> None:
    result = run(
        "compare", "a.onnx", "b.onnx", "pictures", "--profile", "p.toml", "--other-profile", "q.toml", "--method",
        "none", "-o", "o", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["models"][0]["profile"]["std"] == [0.25]
    assert "which differs in std" in result.stderr
    assert onnxray.rerun("o").same


def test_options_of_the_method(place: Path) -> None:
    result = run(
        "compare", "a.onnx", "b.onnx", "pictures/0.png", "--profile", "p.toml", "--set", "grad-cam.layer=conv1",
        "--target", "2", "-o", "s", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    maps = json.loads(result.stdout)["items"][0]["maps"]
    assert [one["layer"] for one in maps] == ["conv1", "conv1"]
    assert [one["target"] for one in maps] == ["logit of class 2"] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("a.onnx", "pictures/0.png"),
            "one model was given to compare, 'a.onnx', for 'pictures/0.png' ends in neither",
        ),
        (("a.onnx", "b.onnx"), "2 models and no images were given"),
        (("a.onnx", "b.onnx", "empty"), "a folder without image files"),
        (("a.onnx", "nowhere.onnx", "pictures"), "nowhere.onnx: no such file"),
        (("a.onnx", "b.onnx", "nowhere.png"), "nowhere.png"),
        (("a.onnx", "b.onnx", "pictures", "--method", "grad-camm"), "did you mean 'grad-cam'?"),
        (("a.onnx", "b.onnx", "pictures", "--method", "none", "--set", "rise.masks=3"), "--method none has no options"),
        (("a.onnx", "b.onnx", "pictures", "--other-profile", "p.toml", "--other-profile", "q.toml"), "2 times for 1"),
        (("a.onnx", "\x1b[31m\u202e.onnx", "pictures"), r"\x1b[31m\u202e.onnx"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], said: str, place: Path) -> None:
    result = run("compare", *arguments, "--profile", "p.toml")
    assert result.exit_code == 1
    assert said in result.stderr.splitlines()[-1]
    assert "\x1b[31m" not in result.stderr
    assert not Path("onnxray-out").exists()
