"""``lots`` and ``invert`` of what is no single picture: from files to saved arrays, pictures and numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from typer.testing import CliRunner

from onnxray.cli.app import app
from support import kinds_of_input
from support.models import random

FEEDS: dict[str, tuple[dict[str, Any], str]] = {
    "table": ({"x": random(0, 2, 5)}, "x"),
    "two": ({"rgb": random(0, 2, 3, 16, 16), "depth": random(1, 2, 1, 16, 16)}, "depth"),
    "tokens": ({"input_ids": np.array([[1, 2, 3]]), "attention_mask": np.array([[1, 1, 0]])}, "e"),
    "spectrogram": ({"mel": random(0, 1, 1, 20, 30)}, "mel"),
    "clip": ({"video": random(0, 1, 3, 4, 16, 16)}, "video"),
}


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(params=list(FEEDS))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path, dict[str, Any], str]:
    feeds, wrt = FEEDS[request.param]
    onnx.save(getattr(kinds_of_input, request.param)(), tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", **feeds)
    return tmp_path / "m.onnx", tmp_path / "x.npz", feeds, wrt


def test_arrays_are_moved_saved_and_judged(case: Any, tmp_path: Path) -> None:
    path, archive, feeds, wrt = case
    command = ("lots", path, archive, "--self", "magnify", "--linf", 9, "--wrt", wrt)
    found = document(*command, "-o", tmp_path / "r")
    session = onnxruntime.InferenceSession(path)
    samples = len(next(iter(feeds.values())))
    layers = {item["layer"] for item in found["items"]}
    assert len(found["items"]) == samples * len(layers)
    for k, item in enumerate(found["items"]):
        load = {role: np.load(tmp_path / "r" / name) for role, name in item["files"].items() if name.endswith(".npy")}
        np.testing.assert_allclose(load[f"origin {wrt}"] + load[f"perturbation {wrt}"], load[f"image {wrt}"], atol=1e-6)
        assert item["wrt"] == [wrt]
        assert item["linf"] == pytest.approx(9 * np.ptp(load[f"origin {wrt}"].astype(np.float64)) / 255, rel=1e-3)
        if wrt in feeds:
            row = k // len(layers)
            own = {name: array[row : row + 1] for name, array in feeds.items()}
            np.testing.assert_array_equal(load[f"origin {wrt}"], own[wrt][0])
            assert session.run(None, {**own, wrt: load[f"image {wrt}"][None]})[0].argmax() == item["class"]
    again = document(*command, "-o", tmp_path / "again")
    assert again["items"] == found["items"]
    for file in (tmp_path / "r").glob("*.*"):
        if file.name != "result.json":
            assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_several_inputs_move_together_and_pictures_are_pictures(tmp_path: Path) -> None:
    onnx.save(kinds_of_input.two(), tmp_path / "m.onnx")
    colour = np.random.default_rng(3).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    np.save(tmp_path / "depth.npy", random(1, 1, 1, 16, 16))
    given = (tmp_path / "m.onnx", f"rgb={tmp_path / 'colour.png'}", f"depth={tmp_path / 'depth.npy'}")
    options = ("--self", "inhibit", "--layer", "y", "--wrt", "rgb", "--wrt", "depth")
    found = document("lots", *given, *options, "-o", tmp_path / "r")
    (item,) = found["items"]
    assert item["wrt"] == ["rgb", "depth"]
    assert item["files"]["image rgb"].endswith(".png")
    assert item["files"]["image depth"].endswith(".npy")
    assert any(note.startswith("changed: rgb, depth") for note in found["notes"])
    shown = run("lots", *given, *options, "--summary", "-o", tmp_path / "t")
    assert shown.exit_code == 0
    assert "stability.png" in shown.output
    made = document("invert", *given, "--layer", "f", "--preset", "plain", "--steps", 20, "-o", tmp_path / "i")
    assert made["items"][0]["files"]["image rgb"].endswith(".png")
    assert made["items"][0]["wrt"] == ["rgb", "depth"]
    assert made["files"] == ["index.html", "trace.png"]


def test_an_aim_is_a_comparison_and_what_is_none_ends_in_a_line(tmp_path: Path) -> None:
    onnx.save(kinds_of_input.table(), tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", x=random(0, 1, 5))
    command = ("lots", tmp_path / "m.onnx", tmp_path / "x.npz", "--self", "inhibit", "--layer", "h")
    (item,) = document(*command, "--until", "distance(z) > 0.1", "-o", tmp_path / "r")["items"]
    assert item["until"] == "distance(z) > 0.1"
    assert item["aim"]["of"] == "distance of z from its own"
    assert item["aim"]["before"] == 0
    assert item["success"] == (item["aim"]["after"] > 0.1)
    shown = run(*command, "--until", "distance(z) > 0.1", "-o", tmp_path / "t").output
    assert f"distance of z from its own: 0 -> {item['aim']['after']:.4g}" in " ".join(shown.split())
    for options, said in [
        (("--until", "never"), "until is 'never'; expected one of auto, target-class"),
        (("--until", "output > x"), "the condition is 'output > x'"),
        (("--wrt", "w1"), "no value 'w1'"),
        (("--wrt", "y"), "does not depend on 'y'"),
    ]:
        refused = run(*command, *options, "-o", tmp_path / "no")
        assert refused.exit_code == 1
        assert said in refused.output.replace("\n", " ")
    refused = run("invert", tmp_path / "m.onnx", tmp_path / "x.npz", "--layer", "h", "-o", tmp_path / "no")
    assert refused.exit_code == 1
    assert "--preset plain inverts them" in refused.output.replace("\n", " ")


def test_a_goal_that_was_missed_is_said_with_what_to_try(tmp_path: Path) -> None:
    four, nine = ("models/onnxray_models/lenet/samples/4_0.png", "models/onnxray_models/lenet/samples/9_0.png")
    command = ("lots", "lenet", four, "--target", nine, "--layer", "ip2", "-o", tmp_path, "--overwrite")
    missed = run(*command, "--max-scale", 1)
    assert "1 of 1: the goal (target-class) was not reached" in missed.stderr
    assert "try --steps 100" in missed.stderr
    assert "try more --steps" in run(*command, "--steps", 2).stderr
    assert "not reached" not in run(*command, "--max-scale", 255).stderr
