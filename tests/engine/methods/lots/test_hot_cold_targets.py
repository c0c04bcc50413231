"""Targets of LOTS made by hot/cold: a step restated on a linear model, the bundled LeNet, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import InputError
from onnxray.images.profile.profile import Profile
from onnxray.methods.lots.hot_cold_targets import made_targets
from onnxray.methods.lots.lots import LOTS
from onnxray.objectives.goals import HotColdTargets
from support import models
from support.linear import Linear, pictures
from support.paths import ROOT

SAMPLES = ROOT / "models" / "onnxray_models" / "lenet" / "samples"
FOUR, SEVEN = (str(SAMPLES / f"{name}_0.png") for name in (4, 7))


def by_hand(line: Linear, image: Any, hot: int) -> Any:
    """The steps of the formula, in float32, until the class of the rounded picture is hot."""
    weights, x = line.v.astype(float) @ line.w, image.astype(np.float32)
    for _ in range(500):
        h = weights @ np.rint(x).ravel() + line.b
        cold = int(h.argmax())
        if cold == hot:
            break
        d = abs(h[hot]) * weights[hot] - abs(h[cold]) * weights[cold]
        x = np.clip(x + (d / np.abs(d).max()).reshape(x.shape).astype(np.float32), 0, 255)
    return np.rint(x)


def test_steps_are_those_of_the_formula() -> None:
    line, images = Linear.random(4), pictures(5, 3)
    model = line.open()
    classes = np.array([line.class_of(image) for image in images])
    hot = int(next(k for k in range(4) if (classes != k).all()))
    made: Any = made_targets(model, model.pixels(images), HotColdTargets(class_=hot)).images
    for image, target in zip(images, made):
        assert line.class_of(target) == hot
        assert np.abs(target - by_hand(line, image, hot)).max() <= 1


def test_a_target_of_ones_own_is_nearer_than_another_picture() -> None:
    model = onnxray.open("lenet")
    method = LOTS(layer=("conv1", "conv2"), steps=40)
    own = method(model, [FOUR, SEVEN], HotColdTargets(class_="9"))
    other = method(model, [FOUR, SEVEN], str(SAMPLES / "9_0.png"))
    for item, beside in zip(own.items, other.items):
        assert item.target.class_ == 9
        assert item.distance_before < beside.distance_before
        assert item.success == (item.class_ == 9)
    assert "targets: the origins themselves, made class 9 by hot/cold" in own.provenance.notes


def test_as_it_is_typed(tmp_path: Path) -> None:
    typed = ["lots", "lenet", FOUR, "--hot-cold", "9", "--layer", "conv1", "-o", str(tmp_path / "run")]
    result = CliRunner().invoke(app, typed)
    assert result.exit_code == 0, result.output
    (item,) = onnxray.load(tmp_path / "run").items
    assert item.target.class_ == 9
    assert CliRunner().invoke(app, ["rerun", str(tmp_path / "run")]).exit_code == 0
    both = CliRunner().invoke(app, [*typed, "--self", "inhibit"])
    assert both.exit_code != 0
    assert "--self and --hot-cold given; give exactly one" in both.stderr


def test_what_cannot_be_heated_is_refused() -> None:
    model, method = onnxray.open("lenet"), LOTS(layer="ip1")
    for goal, said in ((4, r"is of class 4 \(4\) already"), ("ten", "there is no class 'ten'")):
        with pytest.raises(InputError, match=said):
            method(model, FOUR, HotColdTargets(class_=goal))
    with pytest.raises(InputError, match="a number or a label"):
        HotColdTargets(class_=1.5)  # type: ignore[arg-type]
    rows = models.parse("t (float[N,3] x) => (float[N,2] z) { z = MatMul (x, w) }", {"w": models.random(0, 3, 2)})
    with pytest.raises(InputError, match="hot/cold makes targets of pictures"):
        LOTS(layer="z")(onnxray.open(rows), models.random(1, 2, 3), HotColdTargets(class_=1))
    text = "t (float[N,1,4,4] x) => (float[N,2] z) { f = Flatten (x) z = MatMul (f, w) }"
    stuck = {"w": np.stack([np.ones(16), -np.ones(16)], axis=1).astype(np.float32)}  # no picture is of class 1
    white = np.full((1, 1, 4, 4), 255.0, np.float32)
    grey = Profile(name="g", layout="NCHW", channels="GREY", scale=1, mean=(-1.0,), std=(1.0,), size=(4, 4))
    with pytest.raises(InputError, match="hot/cold does not bring origin 0 to 1"):
        LOTS(layer="f")(onnxray.open(models.parse(text, stuck), grey), white, HotColdTargets(class_=1))
