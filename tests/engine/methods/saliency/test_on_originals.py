"""Maps over the pictures as they are, and enlarged ones: files of a run, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.images.pixels import read_png
from onnxray.images.profile.toml_form import toml_of
from onnxray.methods.catalogue import family
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.item import MapItem
from onnxray.results.result import Result
from support import models


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A model of 14 x 14 with its profile, and a picture of 60 x 40."""
    onnx.save(models.lenet(), tmp_path / "m.onnx")
    (tmp_path / "m.toml").write_text(toml_of(models.GREY))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    return tmp_path


def run(place: Path, *more: str) -> dict[str, Any]:
    arguments = [
        "saliency",
        "gradient",
        str(place / "m.onnx"),
        str(place / "p.png"),
        "--json",
        "-o",
        str(place / "out"),
    ]
    result = CliRunner().invoke(app, [*arguments, *more])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_map_lies_over_the_picture_file_at_its_own_size(place: Path) -> None:
    (item,) = run(place, "--overlay-original")["items"]
    drawn = read_png(place / "out" / item["files"]["original-overlay"])
    assert drawn.shape == (3, 40, 60)
    assert item["files"]["original-overlay"] == "p-0-gradient-original-overlay.png"
    (plain,) = run(place, "--overwrite")["items"]
    assert "original-overlay" not in plain["files"]


def test_drawings_are_enlarged_pixel_by_pixel_and_the_numbers_are_not(place: Path) -> None:
    (plain,) = run(place)["items"]
    own = {
        role: read_png(place / "out" / plain["files"][role], deep=True)
        for role in ("image", "map", "overlay", "levels")
    }
    (large,) = run(place, "--enlarge", "5", "--overwrite")["items"]
    for role, picture in own.items():
        found = read_png(place / "out" / large["files"][role], deep=True)
        times = 5 if role in {"map", "overlay"} else 1
        assert np.array_equal(found, np.kron(picture, np.ones((1, times, times), picture.dtype)))
    assert large["enlarged"] == 5
    assert "enlarged" not in plain
    again = Result.load(place / "out", MapItem)
    assert np.array_equal(again.items[0].images["overlay"], own["overlay"])
    saved = again.save(place / "again").items[0].numbers()
    assert saved["enlarged"] == 5
    assert (place / "again" / large["files"]["overlay"]).read_bytes() == (
        place / "out" / large["files"]["overlay"]
    ).read_bytes()


def test_an_object_is_found_in_the_same_run(place: Path) -> None:
    (item,) = run(place, "--overlay-original", "--enlarge", "2", "--object", "threshold")["items"]
    assert {"object", "mask", "original-overlay"} <= item["files"].keys()
    sizes = {
        role: read_png(place / "out" / item["files"][role]).shape[1:] for role in ("object", "mask", "original-overlay")
    }
    assert sizes == {"object": (28, 28), "mask": (14, 14), "original-overlay": (40, 60)}


@pytest.mark.parametrize(
    ("times", "message"),
    [("0", "greater than or equal to 1"), ("65", "less than or equal to 64"), ("1.5", "valid integer")],
)
def test_sizes_that_are_none(place: Path, times: str, message: str) -> None:
    more = ["--enlarge", times]
    result = CliRunner().invoke(app, ["saliency", "gradient", str(place / "m.onnx"), str(place / "p.png"), *more])
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def test_what_has_no_original(place: Path) -> None:
    np.save(place / "p.npy", np.zeros((1, 14, 14), np.uint8))
    result = CliRunner().invoke(
        app,
        [
            "saliency",
            "gradient",
            str(place / "m.onnx"),
            str(place / "p.npy"),
            "--overlay-original",
            "-o",
            str(place / "o"),
        ],
    )
    assert result.exit_code == 1
    assert "is no picture file, whose original a map could be drawn over; leave --overlay-original out" in " ".join(
        result.output.split()
    )
    table = models.parse(
        "g (float[N,4] x) => (float[N,3] y) { z = MatMul (x, w) y = Softmax (z) }", {"w": models.random(0, 4, 3)}
    )
    onnx.save(table, place / "t.onnx")
    np.save(place / "row.npy", np.ones((1, 4), np.float32))
    result = CliRunner().invoke(
        app, ["saliency", "gradient", str(place / "t.onnx"), str(place / "row.npy"), "--overlay-original"]
    )
    assert result.exit_code == 1
    assert "where the model takes a picture, and this one takes none" in " ".join(result.output.split())


def test_a_title_of_ones_own(place: Path) -> None:
    document = run(place, "--title", "Why a seven?")
    assert document["title"] == "Why a seven?"
    assert Result.load(place / "out", MapItem).provenance.title == "Why a seven?"
    own = (place / "out" / "sheet.png").read_bytes()
    plain = run(place, "--overwrite")
    assert "title" not in plain
    assert (place / "out" / "sheet.png").read_bytes() != own


@pytest.mark.parametrize(
    ("method", "options", "unit"),
    [
        ("gradient", {}, "logit per grey level"), ("gradient", {"score": "probability"}, "probability per grey level"),
        ("input-x-gradient", {}, "logit"), ("integrated-gradients", {"score": "margin"}, "margin"), ("guided-backpropagation", {}, ""),
        ("smoothgrad", {"samples": 2}, "logit per grey level"), ("smoothgrad", {"samples": 2, "of": "input-x-gradient"}, "logit"),
        ("smoothgrad", {"samples": 2, "average": "square"}, "(logit per grey level) squared"),
        ("smoothgrad", {"samples": 2, "average": "variance", "of": "guided-backpropagation"}, ""),
        ("occlusion", {"size": 7}, "logit lost"), ("rise", {"masks": 8}, "mean probability"), ("rise", {"masks": 8, "score": "logit"}, "mean logit"), ("grad-cam", {}, "logit"),
    ],
)  # fmt: skip
def test_maps_say_what_their_numbers_are_in(method: str, options: dict[str, Any], unit: str) -> None:
    model = onnxray.open(models.lenet(), profile=models.GREY)
    (item,) = family(Saliency)[method](**options)(model, models.pictures(1), 2).items
    assert item.unit == unit
    assert item.numbers().get("unit", "") == unit


def test_the_unit_of_what_is_no_picture() -> None:
    model = onnxray.open(
        models.parse(
            "g (float[N,4] x) => (float[N,3] y) { z = MatMul (x, w) y = Softmax (z) }", {"w": models.random(0, 4, 3)}
        )
    )
    (item,) = onnxray.methods.Gradient()(model, models.random(1, 1, 4), 2).items
    assert item.unit == "logit per unit"
    (item,) = onnxray.methods.Gradient()(model, models.random(1, 1, 4), "y[2]").items
    assert item.unit == "score per unit"
