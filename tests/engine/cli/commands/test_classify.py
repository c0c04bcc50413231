"""classify and inspect say what the output is, and answer with it as that."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from onnxray.cli.app import app
from support import models
from support.detectors import detector
from support.models import Array


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(*arguments: object) -> dict[str, object]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def saved(folder: Path, model: onnx.ModelProto) -> tuple[Path, Path, Array]:
    """The model, a picture of its size, and what the model is fed for it under the profile ``unit``."""
    onnx.save(model, folder / "m.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "p.png")
    return folder / "m.onnx", folder / "p.png", (pixels.transpose(2, 0, 1)[None] / 255).astype(np.float32)


HEADS = {
    "regression": "g (float[N,3,8,8] x) => (float[N,1] y) { f = Flatten (x) y = MatMul (f, w) }",
    "embedding": "g (float[N,3,8,8] x) => (float[N,5] embedding) { f = Flatten (x) embedding = MatMul (f, v) }",
    "binary": "g (float[N,3,8,8] x) => (float[N,1] y) { f = Flatten (x) z = MatMul (f, w) y = Sigmoid (z) }",
    "mask": "g (float[N,3,8,8] x) => (float[N,4,8,8] y) { c = Conv (x, k) y = Softmax <axis = 1> (c) }",
}


def head(name: str) -> onnx.ModelProto:
    weights = {"w": models.random(0, 192, 1), "v": models.random(1, 192, 5), "k": models.random(2, 4, 3, 1, 1)}
    used = {key: array for key, array in weights.items() if f", {key})" in HEADS[name]}
    return models.parse(HEADS[name], used)


@pytest.mark.parametrize("name", HEADS)
def test_an_answer_of_the_outputs_own_kind(name: str, tmp_path: Path) -> None:
    proto = head(name)
    path, picture, x = saved(tmp_path, proto)
    (given,) = models.run(proto, {"x": x})
    found = document("classify", path, picture, "--profile", "unit")
    (item,) = found["items"]  # type: ignore[misc]
    assert found["kind"] == name
    assert found["output"] == proto.graph.output[0].name
    if name == "regression":
        np.testing.assert_allclose(item["values"], given[0], rtol=1e-5)
    elif name == "embedding":
        np.testing.assert_allclose(item["values"], given[0], rtol=1e-4)
    elif name == "mask":
        shares = {one["class"]: one["share"] for one in item["shares"]}
        for k in range(4):
            assert shares.get(k, 0) == pytest.approx((given[0].argmax(0) == k).mean())
    else:
        p = float(given[0, 0])
        assert (item["class"], item["probability"]) == (int(p > 0.5), pytest.approx(max(p, 1 - p), rel=1e-5))
        assert sum(one["probability"] for one in item["top"]) == pytest.approx(1)
    if name != "binary":
        assert not {"class", "label", "probability"} & set(item)
    printed = run("classify", path, picture, "--profile", "unit")
    assert printed.exit_code == 0
    assert "p.png" in printed.stdout


@pytest.mark.parametrize("name", ["suppressed", "yolo, numbers first", "softmax beside boxes"])
def test_a_detector_ends_in_its_boxes_and_no_class(name: str, tmp_path: Path) -> None:
    path, picture, _ = saved(tmp_path, detector(name))
    found = document("classify", path, picture, "--profile", "unit")
    assert found["kind"] == "boxes"
    (item,) = found["items"]  # type: ignore[misc]
    assert set(item) == {"path", "boxes"}
    assert run("classify", path, picture, "--profile", "unit").exit_code == 0
    wrong = run("saliency", "gradient", path, picture, "--profile", "unit", "-o", tmp_path / "out")
    assert wrong.exit_code == 1
    assert "say what is: --target 'boxes[0].score'" in " ".join(wrong.stderr.split())


def test_another_output_and_another_kind(tmp_path: Path) -> None:
    path, picture, x = saved(tmp_path, head("embedding"))
    (given,) = models.run(head("embedding"), {"x": x})
    found = document("classify", path, picture, "--profile", "unit", "--output", "embedding=logits")
    assert found["items"][0]["class"] == given[0].argmax()  # type: ignore[index]
    wrong = run("classify", path, picture, "--profile", "unit", "--output", "nothing")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "the file has no output 'nothing'; its outputs are 'embedding'" in " ".join(wrong.stderr.split())


def test_inspect_says_what_each_output_is_and_why(tmp_path: Path) -> None:
    path, _, _ = saved(tmp_path, detector("softmax beside boxes"))
    found = document("inspect", path, "--profile", "unit")
    kinds = {one["name"]: (one["output_kind"], one["assumed"]) for one in found["outputs"]}  # type: ignore[attr-defined]
    assert kinds == {"scores": ("box scores", False), "boxes": ("boxes", False)}
    assert found["head"]["output"] == "boxes"  # type: ignore[index]
    said = " ".join(run("inspect", path, "--profile", "unit").stdout.split())
    assert "four numbers a place, beside 'scores' of as many places" in said
    assert "state another with --output NAME=KIND" in said


@pytest.mark.parametrize(("names", "count"), [(1000, 1001), (4, 5), (6, 5)])
def test_labels_that_do_not_fit_are_refused_with_both_numbers(names: int, count: int, tmp_path: Path) -> None:
    text = f"g (float[N,3,8,8] x) => (float[N,{count}] y) {{ f = Flatten (x) z = MatMul (f, w) y = Softmax (z) }}"
    path, picture, _ = saved(tmp_path, models.parse(text, {"w": models.random(0, 192, count)}))
    path.with_suffix(".toml").write_text(
        'name = "p"\nlayout = "NCHW"\nchannels = "RGB"\nscale = 1.0\nmean = [0, 0, 0]\nstd = [1, 1, 1]\n'
        f"size = [8, 8]\nlabels = {json.dumps([f'c{k}' for k in range(names)])}\n"
    )
    wrong = run("classify", path, picture)
    assert wrong.exit_code == 1
    said = " ".join(wrong.stderr.split())
    assert f"{names} labels are stated and output 'y' gives {count} classes" in said
    assert ("ImageNet's 1000 names for 1001 outputs" in said) == (names == 1000)
    values = run("values", path, picture, "--value", "y", "-o", tmp_path / "v")
    assert values.exit_code == 0


def test_what_was_left_out_and_assumed_is_said_beside_the_table(tmp_path: Path) -> None:
    proto = models.parse(
        "g (float[N,3,8,8] x) => (float[N,5] y) { f = Flatten (x) y = MatMul (f, v) }", {"v": models.random(1, 192, 5)}
    )
    path, picture, _ = saved(tmp_path, proto)
    (tmp_path / "broken.png").write_bytes(picture.read_bytes()[:40])
    for more in ((), ("--json",)):
        result = run("classify", path, tmp_path, "--profile", "unit", "--output", "y=logits", *more)
        assert (result.exit_code, "broken.png" in result.stdout) == (0, bool(more))
        assert "left out" in result.stderr
        assert "broken.png" in result.stderr
        assert ("--labels" in result.stderr) is not bool(more)
    (tmp_path / "names.txt").write_text("a\nb\nc\nd\ne\n")
    named = run(
        "classify", path, picture, "--profile", "unit", "--output", "y=logits", "--labels", tmp_path / "names.txt"
    )
    assert "--labels" not in named.stderr
    declined = run("classify", path, picture, "--profile", "unit", "--output", "y=logits", "--labels", "none")
    assert (declined.exit_code, "--labels" in declined.stderr) == (0, False)
