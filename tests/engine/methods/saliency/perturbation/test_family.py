"""Occlusion restated over plain ONNX Runtime sessions; what all perturbation methods refuse, save and never import."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image
from typer.testing import CliRunner

import onnxray
from onnxray.assess.maps.check import Check
from onnxray.cli.app import app
from onnxray.errors import InputError
from onnxray.images.drawing.class_map import draw_class_map
from onnxray.methods.saliency.gradient.smoothgrad import SmoothGrad
from onnxray.methods.saliency.item import MapItem
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from onnxray.methods.saliency.perturbation.rise import RISE
from onnxray.methods.saliency.perturbation.value_occlusion import ValueOcclusion
from onnxray.results.result import Result
from support import models
from support.paths import ROOT
from support.perturbing import by_hand, logits, rgb, softmax

X = models.pictures(2, seed=3)


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (5, 5), (4, 3), (1, 1), (14, 3), (6, 4)])
@pytest.mark.parametrize("batch", ["N", 1, 3])
def test_occlusion(size: int, stride: int, batch: int | str) -> None:
    model = onnxray.open(models.lenet(batch), models.GREY)
    items = Occlusion(size=size, stride=stride, fill="40")(model, X).items
    for item, image in zip(items, X, strict=True):
        own = int(logits(image[None]).argmax())
        drop, at = by_hand(image, size, stride, 40.0, lambda p, own=own: logits(p)[:, own])
        probability, _ = by_hand(image, size, stride, 40.0, lambda p, own=own: softmax(logits(p))[:, own])
        _, classes = by_hand(image, size, stride, 40.0, lambda p: logits(p).argmax(1))
        scale = np.abs(at).max()
        np.testing.assert_allclose(item.heat, drop, atol=1e-5 * scale)
        np.testing.assert_allclose(item.more["logit_drop"], drop, atol=1e-5 * scale)
        np.testing.assert_allclose(item.more["probability_drop"], probability, atol=1e-5)
        np.testing.assert_allclose(item.attribution, logits(image[None])[0, own] - at, atol=1e-5 * scale)
        np.testing.assert_array_equal(item.more["classes"], classes)
        assert item.class_ == own
        assert item.numbers_["class_kept"] == pytest.approx((classes == own).mean())


def test_occlusion_draws_the_score_that_is_asked_for() -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    item = Occlusion(size=4, stride=2, score="probability")(model, X[:1], 3).items[0]
    np.testing.assert_array_equal(item.heat, item.more["probability_drop"])
    assert item.target_score == pytest.approx(softmax(logits(X[:1]))[0, 3], rel=1e-5)


@pytest.mark.parametrize(
    ("fill", "expected"), [("mean", 127.5), ("black", 0.0), ("grey", 127.5), ("white", 255.0), ("17.5", 17.5)]
)
def test_fills_are_grey_levels(fill: str, expected: float) -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    item = Occlusion(size=5, stride=3, fill=fill)(model, X[:1], 0).items[0]
    drop, _ = by_hand(X[0], 5, 3, expected, lambda p: logits(p)[:, 0])
    np.testing.assert_allclose(item.heat, drop, atol=1e-5)


@pytest.mark.parametrize("fill", ["blur", "noise"])
def test_fills_that_are_images(fill: str) -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    found = [Occlusion(size=14, fill=fill)(model, X, 0, seed=seed).items for seed in (0, 0, 1)]
    np.testing.assert_array_equal(found[0][1].heat, found[1][1].heat)
    assert (found[0][1].heat != found[2][1].heat).all() == (fill == "noise")
    if fill == "blur":
        import cv2

        hidden = cv2.GaussianBlur(X[1, 0], (0, 0), 7.0, borderType=cv2.BORDER_REFLECT)[None, None]
        expected = logits(X[1:])[0, 0] - logits(hidden)[0, 0]
        np.testing.assert_allclose(found[0][1].heat, expected, atol=1e-5)


NEAREST = """
tree (float[N,6] x) => (int64[N] label) {
  a = MatMul (x, w)
  label = ArgMax <axis = 1, keepdims = 0> (a)
}
"""


def test_a_classifier_that_gives_labels_alone() -> None:
    w = models.random(4, 6, 3)
    model = onnxray.open(models.parse(NEAREST, {"w": w}))
    x = models.random(5, 2, 6)
    items = Occlusion(fill="0")(model, x).items
    for item, row in zip(items, x, strict=True):
        own = (row @ w).argmax()
        changed = np.array([(np.where(np.arange(6) == k, 0, row) @ w).argmax() for k in range(6)])
        np.testing.assert_array_equal(item.heat, (changed != own).astype(np.float32))
        np.testing.assert_array_equal(item.more["classes"], changed)
        assert item.target == f"label {own} kept"
        assert list(item.images) == ["map"]


def test_a_regressor_of_numbers() -> None:
    w = models.random(4, 6, 1)
    model = onnxray.open(models.parse("r (float[N,6] x) => (float[N,1] y) { y = MatMul (x, w) }", {"w": w}))
    x = models.random(5, 3, 6)
    items = Occlusion()(model, x, "value:y").items
    expected = (x - x.mean(1, keepdims=True)) * w[:, 0]
    np.testing.assert_allclose([item.heat for item in items], expected, atol=1e-5)


def test_a_detectors_number_and_nhwc_and_one_image_a_file() -> None:
    text = """
    d (float[1,12,9,3] x) => (float[1,7,2] boxes) {
      a = MatMul (x, w)
      shape = Constant <value_ints = [1, 54, 4]> ()
      b = Reshape (a, shape)
      first = Constant <value_ints = [0]> ()
      last = Constant <value_ints = [7]> ()
      axis = Constant <value_ints = [1]> ()
      c = Slice (b, first, last, axis)
      boxes = MatMul (c, v)
    }
    """
    weights = {"w": models.random(0, 3, 2), "v": models.random(1, 4, 2)}
    model = onnxray.open(models.parse(text, weights), rgb(12, 9, "NHWC"))
    image = np.random.default_rng(0).uniform(0, 255, (1, 3, 12, 9)).astype(np.float32)

    def score(pixels: models.Array) -> models.Array:
        mean, std = (np.array(c, np.float32).reshape(3, 1, 1) for c in ((2, 1, 3), (1, 2, 1)))
        x = ((pixels / 64 - mean) / std).transpose(0, 2, 3, 1).astype(np.float32)
        network = models.parse(text, weights)
        return np.concatenate([models.run(network, {"x": one[None]})[0][:, 4, 1] for one in x])

    item = Occlusion(size=3, stride=2, fill="black")(model, image, "boxes[4,1]").items[0]
    expected, at = by_hand(image[0], 3, 2, 0.0, score)
    np.testing.assert_allclose(item.heat, expected, atol=1e-4 * np.abs(at).max())
    assert "classes" not in item.more
    assert set(item.images) == {"image", "map", "overlay"}


BAD: list[tuple[Any, dict[str, Any], str]] = [
    (Occlusion, {"size": 0}, "size is 0"),
    (Occlusion, {"stride": 0}, "stride is 0"),
    (Occlusion, {"size": 3, "stride": 4}, "stride is 4; at most the size, 3"),
    (Occlusion, {"size": 2.5}, "size is 2.5"),
    (Occlusion, {"size": 15}, "size is 15; at most 14 fits"),
    (Occlusion, {"stride": 9}, "stride is 9; at most the size"),
    (Occlusion, {"fill": "pink"}, "fill is 'pink'"),
    (Occlusion, {"fill": "nan"}, "fill is 'nan'"),
    (Occlusion, {"batch_memory": 0}, "batch_memory is 0 MiB; one copy of the image takes 1 MiB"),
    (RISE, {"masks": 0}, "masks is 0"),
    (RISE, {"cells": 0}, "cells is 0"),
    (RISE, {"cells": 15}, "cells is 15; at most 14"),
    (RISE, {"keep": 0.0}, "keep is 0.0"),
    (RISE, {"keep": 1.0}, "keep is 1.0"),
    (RISE, {"keep": float("nan")}, "keep is nan"),
    (RISE, {"score": "loss"}, "score is 'loss'"),
    (RISE, {"batch_memory": -1}, "batch_memory is -1 MiB"),
    (ValueOcclusion, {"layer": "ip1"}, "--parts channels"),
    (ValueOcclusion, {"layer": "prob", "parts": "channels"}, "does not depend on 'prob'"),
    (ValueOcclusion, {"size": 7}, "size is 7; at most 6 fits"),
    (ValueOcclusion, {"stride": 2}, "stride is 2"),
    (ValueOcclusion, {"parts": "rows"}, "parts is 'rows'"),
]


@pytest.mark.parametrize(("method", "options", "message"), BAD)
def test_bad_options(method: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")) as found:
        method(**options)(onnxray.open(models.lenet(), models.GREY), X[:1])
    assert "\n" not in str(found.value)


def test_samples_refuse_what_is_for_images() -> None:
    model = onnxray.open(models.parse(NEAREST, {"w": models.random(4, 6, 3)}))
    x = models.random(5, 1, 6)
    for options, message in (({"size": 2}, "one by one"), ({"fill": "blur"}, "for images")):
        with pytest.raises(InputError, match=message):
            Occlusion(**options)(model, x)
    for method in (RISE(), ValueOcclusion(), SmoothGrad(of="rise"), Check(method=RISE())):
        with pytest.raises(InputError, match=r"(rise|value-occlusion) works on images, and this model's input is no"):
            method(model, x)


def test_a_saved_result_comes_back(tmp_path: Path) -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    result = Occlusion(size=4, stride=2)(model, X).save(tmp_path / "run")
    back = Result.load(tmp_path / "run", MapItem)
    for one, other in zip(result.items, back.items, strict=True):
        assert other.numbers() == one.numbers()
        assert set(other.more) == {"logit_drop", "probability_drop", "classes"}
        for name, array in one.more.items():
            np.testing.assert_array_equal(other.more[name], array)
        assert set(other.images) == set(one.images)
        np.testing.assert_array_equal(other.images["class-map"], one.images["class-map"])


def test_the_class_map_has_a_colour_for_each_class() -> None:
    classes = np.array([[7, 7, 3], [7, 5, 3]])
    image = np.full((1, 8, 12), 100.0, np.float32)
    drawn = draw_class_map(image, classes, 7, str)
    picture = drawn["class-map"]
    assert picture.shape == (3, 8, 12)
    flat = picture[:, 2::4, 2::4].reshape(3, -1).T
    for k, one in enumerate(classes.reshape(-1)):
        for other, colour in zip(classes.reshape(-1), flat):
            assert (one == other) == bool((flat[k] == colour).all())
    many = draw_class_map(image, np.arange(30).reshape(5, 6), 99, str)
    assert many["class-map-legend"].shape[1] > drawn["class-map-legend"].shape[1]


PROGRAM = """
import sys
sys.path[:0] = ['engine', 'tests']
import numpy as np, onnxray
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from onnxray.methods.saliency.perturbation.rise import RISE
from onnxray.methods.saliency.perturbation.value_occlusion import ValueOcclusion
from support import models
model = onnxray.open(models.lenet(), models.GREY)
for method in (Occlusion(size=4), RISE(masks=9, cells=3), ValueOcclusion()):
    method(model, models.pictures(1))
print(sorted({'torch', 'onnx2torch'} & set(sys.modules)))
"""


def test_no_torch_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_progress_ends_where_it_should() -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    for method in (Occlusion(size=4), RISE(masks=30, cells=3), ValueOcclusion(layer="conv1")):
        seen: list[tuple[int, int]] = []
        method(model, X, progress=lambda done, total, what, seen=seen: seen.append((done, total)))
        assert seen[-1][0] == seen[-1][1]
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        assert len(seen) > 2


COMMANDS = {
    "occlusion": (["--size", "5", "--stride", "3", "--fill", "black"], "logit of class 3"),
    "rise": (["--masks", "20", "--cells", "4"], "probability of class 3"),
    "value-occlusion": (["--layer", "conv2", "--parts", "channels"], "logit of class 3"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_line(name: str, tmp_path: Path) -> None:
    options, target = COMMANDS[name]
    picture = tmp_path / "seven.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)).save(picture)
    command = [
        "saliency",
        name,
        "lenet",
        str(picture),
        "--target",
        "3",
        "-o",
        str(tmp_path / "run"),
        "--overwrite",
        *options,
    ]
    done = CliRunner().invoke(app, [*command, "--json", "--seed", "4"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document == json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    item = document["items"][0]
    assert item["target"] == target
    assert item["batch"] >= 1
    assert np.load(tmp_path / "run" / item["files"]["heat"]).shape == (28, 28)
    assert (tmp_path / "run" / "sheet.png").exists()
    assert ("classes" in item["files"]) == (name == "occlusion")
    refused = CliRunner().invoke(app, [*command, "--batch-memory", "0"])
    assert refused.exit_code == 1
    assert refused.stderr.startswith("onnxray: batch_memory is 0 MiB")
    assert refused.stderr.count("\n") == 1


QUANTISED = """
q (float[N,6] x) => (float[N,3] p) {
  a = MatMul (x, w)
  q = QuantizeLinear (a, scale, zero)
  r = com.microsoft.QLinearConcat <axis = 1> (scale, zero, q, scale, zero)
  s = com.microsoft.QLinearSoftmax <axis = 1, opset = 13> (r, scale, zero, small, zero)
  p = DequantizeLinear (s, small, zero)
}
"""


def test_probabilities_of_quantised_scores_are_the_output_s() -> None:
    weights = {
        "w": np.abs(models.random(4, 6, 3)), "scale": np.array(0.05, np.float32), "small": np.array(1 / 256, np.float32),
        "zero": np.array(0, np.uint8),
    }  # fmt: skip
    text = f'<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>{QUANTISED}'
    proto = onnx.parser.parse_model(text)
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(a, name) for name, a in weights.items())
    model = onnxray.open(proto)
    x = np.abs(models.random(5, 1, 6))
    item = Occlusion(fill="0")(model, x).items[0]
    own = int(models.run(proto, {"x": x})[0].argmax())
    hidden = np.where(np.eye(6, dtype=bool), 0, x).astype(np.float32)
    expected = models.run(proto, {"x": x})[0][0, own] - models.run(proto, {"x": hidden})[0][:, own]
    np.testing.assert_allclose(item.more["probability_drop"], expected, atol=1e-6)
    assert np.ptp(expected) > 0.1
    probability = Occlusion(fill="0", score="probability")(model, x).items[0]
    np.testing.assert_allclose(probability.heat, expected, atol=1e-6)
    steps = [models.run(proto, {"x": given}, ["r"])[0].astype(np.float64)[:, own] for given in (x, hidden)]
    np.testing.assert_allclose(item.heat, (steps[0] - steps[1]) * 0.05, atol=1e-6)
