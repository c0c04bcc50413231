"""A class that the file rules out has the logit minus infinity: null with a reason in JSON, never a traceback.

Where a score is plus infinity or NaN, no class can be told, and every method says so.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import OnnxrayError
from onnxray.images.files import save_png
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.saliency.activation.score_cam import ScoreCAM
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from onnxray.methods.synthesis.maximize import Maximize
from support import models


def model_with(bias: float) -> onnxray.Model:
    return onnxray.open(ruled(bias), models.GREY)


def ruled(bias: float) -> Any:
    weights = models.lenet_weights()
    weights["b4"] = np.r_[np.float32(bias), weights["b4"][1:]]
    return models.lenet(weights=weights)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    path, picture = tmp_path / "m.onnx", tmp_path / "a.png"
    path.write_bytes(ruled(-np.inf).SerializeToString())
    save_png(picture, np.rint(models.pictures(1)[0]).astype(np.uint8))
    return str(path), str(picture)


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_classify_says_null_and_why(files: tuple[str, str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["classify", *files, "--json", "-o", str(tmp_path / "out")])
    assert done.exit_code == 0
    for found in (strict(done.stdout), strict((tmp_path / "out" / "result.json").read_text())):
        (item,) = found["items"]
        assert item["score"] is not None
        assert "reason" not in item
        (last,) = [row for row in item["top"] if row["class"] == 0]
        assert last["score"] is None
        assert last["probability"] == 0
        assert last["reason"] == "the file rules this class out"
    done = CliRunner().invoke(app, ["classify", *files])
    assert done.exit_code == 0
    assert "-inf" in done.stdout


def test_maps_of_a_class_that_is_ruled_out(tmp_path: Path) -> None:
    model, x = model_with(-np.inf), models.pictures(2).round()
    Gradient()(model, x, 0).save(tmp_path / "g")
    for item in strict((tmp_path / "g" / "result.json").read_text())["items"]:
        assert item["target_score"] is None
        assert item["reason"] == "not finite: target_score"
    with pytest.raises(OnnxrayError, match="logit of class 0 is not finite for some of the masked images"):
        ScoreCAM()(model, x, 0)
    with pytest.raises(OnnxrayError, match="not finite for some of the copies"):
        Occlusion()(model, x, 0)


@pytest.mark.parametrize("bias", [np.inf, np.nan])
def test_scores_that_tell_no_class_are_refused_everywhere(bias: float) -> None:
    model, x = model_with(bias), models.pictures(2).round()
    for ask in (
        lambda: model.predict(x),
        lambda: model.classify(x),
        lambda: Gradient()(model, x),
        lambda: Gradient()(model, x, 1),
        lambda: Occlusion()(model, x, 1),
        lambda: LOTS(layer="conv1")(model, x, x[::-1]),
        lambda: Maximize(steps=2)(model, None, "class:1"),
    ):
        with pytest.raises(OnnxrayError) as caught:
            ask()
        assert "\n" not in str(caught.value)
