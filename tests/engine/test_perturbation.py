"""Occlusion, RISE and the occlusion of middle values: their formulas restated over plain ONNX Runtime sessions."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from skimage.transform import resize

import onnxray
from onnxray.copies import Copies
from onnxray.errors import InputError
from onnxray.images import Pixels
from onnxray.masks import RandomMasks
from onnxray.methods.occlusion import Occlusion
from onnxray.methods.rise import Rise
from onnxray.methods.value_occlusion import ValueOcclusion
from onnxray.patches import Patches, planned
from onnxray.profile import Profile
from onnxray.receptive_field import local_field
from onnxray.results import Result
from onnxray.scan import planned_scan
from onnxray.targets import read_target
from onnxray.value_shapes import live_bytes, shapes_at
from onnxray.windows import sliding_windows
from support import models

X = models.pictures(2, seed=3)
ROOT = Path(__file__).resolve().parents[2]


def encoded(pixels: models.Array) -> models.Array:
    return (pixels / np.float32(255) - np.float32(0.5)) / np.float32(0.5)


def logits(pixels: models.Array) -> models.Array:
    return models.run(models.lenet(), {"x": encoded(pixels)}, ["ip2"])[0].astype(np.float64)


def softmax(z: models.Array) -> models.Array:
    powers = np.exp(z - z.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def by_hand(image: models.Array, size: int, stride: int, fill: float, score: Any) -> tuple[models.Array, models.Array]:
    """(map, score at each position), pixel by pixel of each window that fits or ends with the image."""
    height, width = image.shape[1:]
    total, count, at = np.zeros((height, width)), np.zeros((height, width)), []
    clean, top = score(image[None])[0], 0
    while True:
        left, line = 0, []
        while True:
            hidden = image.copy()
            hidden[:, top : top + size, left : left + size] = fill
            line.append(score(hidden[None])[0])
            total[top : top + size, left : left + size] += clean - line[-1]
            count[top : top + size, left : left + size] += 1
            if left + size >= width:
                break
            left += stride
        at.append(line)
        if top + size >= height:
            break
        top += stride
    return total / count, np.array(at)


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


DEEP = """
deep (float[N,3,{height},{width}] x) => (float[N,4] z) {{
  a = Conv <kernel_shape = [5, 3], strides = [2, 1], pads = [2, 0, 1, 2]> (x, w1)
  b = Relu (a)
  c = MaxPool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1> (b)
  d = Conv <kernel_shape = [3, 3], pads = [2, 2, 2, 2], dilations = [2, 2]> (c, w2)
  e = Add (c, d)
  f = Relu (e)
  left = Conv <kernel_shape = [1, 1], strides = [2, 2]> (f, w3)
  right = AveragePool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (f)
  g = Concat <axis = 1> (left, right)
  h = LRN <size = 3> (g)
  i = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (h, w4)
  j = GlobalAveragePool (i)
  z = Flatten (j)
}}
"""


def deep(height: int, width: int, channels: int = 16) -> onnx.ModelProto:
    c = channels
    shapes = {"w1": (c, 3, 5, 3), "w2": (c, c, 3, 3), "w3": (c, c, 1, 1), "w4": (4, 2 * c, 3, 3)}
    scale = 1.2 / np.sqrt(c)
    weights = {name: models.random(k, *shape, scale=scale) for k, (name, shape) in enumerate(shapes.items())}
    return models.parse(DEEP.format(height=height, width=width), weights)


def rgb(height: int, width: int, layout: Any = "NCHW") -> Profile:
    return Profile(
        name="deep", layout=layout, channels="RGB", scale=1 / 64, mean=(2.0, 1.0, 3.0), std=(1.0, 2.0, 1.0),
        size=(height, width),
    )  # fmt: skip


@pytest.mark.parametrize(("height", "width"), [(40, 40), (47, 61), (33, 58), (64, 35)])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 2), (7, 4), (10, 9)])
def test_patches_give_what_whole_forwards_give(height: int, width: int, size: int, stride: int) -> None:
    model = deep(height, width)
    graph = onnxray.open(model, rgb(height, width)).graph
    judge = onnxray.open(model, rgb(height, width)).judge
    x = models.random(8, 1, 3, height, width)
    filled = models.random(9, 3, height, width)
    shapes = shapes_at(graph, {"x": x.shape})
    field = local_field(graph, "x", ["z"], shapes, {})
    assert [point.name for point in field.points] == ["x", "a", "b", "c", "e", "f", "g", "h", "i"]
    windows, _ = sliding_windows((height, width), size, stride)
    windows = windows[:: max(1, len(windows) // 97)]
    batch = np.repeat(x, len(windows), axis=0)
    for one, (top, bottom, left, right) in zip(batch, windows):
        one[:, top:bottom, left:right] = filled[:, top:bottom, left:right]
    expected = models.run(model, {"x": batch})[0]
    assert np.ptp(expected, axis=0).min() > 1e-3
    for cuts in ([0, 3], [0, 2, 3, 5], [0, 7], [0, 1, 2, 3, 4, 5, 6, 7, 8]):
        patches = Patches(judge, [field.points[k] for k in cuts], ["z"], shapes, windows, 0.5)
        unchanged = {"x": x, **judge.values({"x": x}, patches.names)}
        found = np.full_like(expected, np.nan)
        for group in patches.groups():
            found[group] = patches.run(group, unchanged, filled)["z"]
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("side", [96, 131])
def test_occlusion_by_patches_is_occlusion(side: int) -> None:
    model = onnxray.open(deep(side, side, 96), rgb(side, side))
    images = np.random.default_rng(0).uniform(0, 255, (2, 3, side, side)).astype(np.float32)
    quick = Occlusion(size=8, stride=5)(model, images).items
    whole = Occlusion(size=8, stride=5, patches=False)(model, images).items
    for one, other in zip(quick, whole, strict=True):
        assert one.numbers_["forwards"] == "patches"
        assert 0 < one.numbers_["spared"] < 1
        assert other.numbers_["forwards"] == "whole"
        np.testing.assert_allclose(one.heat, other.heat, atol=1e-5 * np.abs(other.target_score))
        np.testing.assert_array_equal(one.more["classes"], other.more["classes"])


def test_patches_that_differ_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Patches.run
    monkeypatch.setattr(Patches, "run", lambda *args: {name: a + 0.5 for name, a in right(*args).items()})
    model = onnxray.open(deep(96, 96, 96), rgb(96, 96))
    images = np.random.default_rng(0).uniform(0, 255, (1, 3, 96, 96)).astype(np.float32)
    result = Occlusion(size=8, stride=5)(model, images)
    assert result.items[0].numbers_["forwards"] == "whole"
    assert any("patches differ" in note for note in result.provenance.notes)
    expected = Occlusion(size=8, stride=5, patches=False)(model, images).items[0].heat
    np.testing.assert_array_equal(result.items[0].heat, expected)


@pytest.mark.parametrize(
    "text",
    [
        "b = Conv <kernel_shape = [3, 3], auto_pad = \"SAME_UPPER\", strides = [2, 2]> (x, w)",
        "b = ReduceMean <axes = [3]> (x)",
        "b = Softmax <axis = 3> (x)",
        "b = Mul (x, wide)",
        "b = Transpose <perm = [0, 1, 3, 2]> (x)",
        "c = GlobalAveragePool (x)\n  b = Mul (x, c)",
    ],
)  # fmt: skip
def test_what_is_not_local_ends_the_patches(text: str) -> None:
    weights = {"w": models.random(0, 3, 3, 3, 3), "wide": models.random(1, 8)}
    graph = onnxray.open(
        models.parse(f"g (float[N,3,8,8] x) => (float[N,3,M,K] z) {{\n {text}\n z = Relu (b) }}", weights)
    ).graph
    field = local_field(graph, "x", ["z"], shapes_at(graph, {"x": (1, 3, 8, 8)}), {})
    assert [point.name for point in field.points] == ["x"]


def test_a_skip_around_everything_leaves_no_point() -> None:
    text = "g (float[N,3,8,8] x) => (float[N,3,8,8] z) {\n a = Relu (x)\n b = Neg (a)\n c = Softmax <axis = 3> (x)\n z = Add (b, c) }"
    graph = onnxray.open(models.parse(text)).graph
    field = local_field(graph, "x", ["z"], shapes_at(graph, {"x": (1, 3, 8, 8)}), {})
    assert [point.name for point in field.points] == ["x"]


def test_small_work_is_not_cut() -> None:
    model = onnxray.open(deep(40, 40), rgb(40, 40))
    shapes = shapes_at(model.graph, {"x": (1, 3, 40, 40)})
    windows, _ = sliding_windows((40, 40), 8, 4)
    field = local_field(model.graph, "x", ["z"], shapes, {})
    assert planned(model.judge, field, ["z"], shapes, windows) is None


@pytest.mark.parametrize(("cells", "plane"), [(4, (14, 14)), (7, (40, 61)), (3, (9, 10)), (1, (5, 5)), (8, (224, 224))])
def test_masks_are_the_authors(cells: int, plane: tuple[int, int]) -> None:
    masks = RandomMasks.drawn(6, cells, 0.4, plane, np.random.default_rng(1))
    cell = [int(np.ceil(side / cells)) for side in plane]
    assert (masks.shifts >= 0).all()
    assert (masks.shifts < cell).all()
    enlarged = [(cells + 1) * length for length in cell]
    for k, mask in enumerate(masks.rows(0, 6)):
        whole = resize(masks.cells[k], enlarged, order=1, mode="reflect", anti_aliasing=False)
        top, left = masks.shifts[k]
        np.testing.assert_allclose(mask, whole[top : top + plane[0], left : left + plane[1]], atol=1e-6)
    np.testing.assert_array_equal(masks.rows(2, 4), masks.rows(0, 6)[2:4])


def test_masks_keep_what_they_should() -> None:
    masks = RandomMasks.drawn(4000, 5, 0.3, (20, 20), np.random.default_rng(0))
    assert masks.cells.mean() == pytest.approx(0.3, abs=0.01)
    assert np.abs(masks.rows(0, 4000).mean(0) - 0.3).max() < 0.04
    assert len(np.unique(masks.shifts[:, 0])) == 4


@pytest.mark.parametrize("batch", ["N", 1])
def test_rise(batch: int | str) -> None:
    model = onnxray.open(models.lenet(batch), models.GREY)
    found = Rise(masks=60, cells=4, keep=0.4, fill="30")(model, X, 2, seed=5).items
    masks = RandomMasks.drawn(60, 4, 0.4, (14, 14), np.random.default_rng(5)).rows(0, 60)[:, None]
    for item, image in zip(found, X, strict=True):
        scores = softmax(logits(masks * image + (1 - masks) * 30))[:, 2]
        expected = (scores[:, None, None] * masks[:, 0]).sum(0) / 60 / 0.4
        np.testing.assert_allclose(item.heat, expected, rtol=1e-4)
        assert item.target == "probability of class 2"


@pytest.mark.parametrize("fill", ["zero", "mean"])
@pytest.mark.parametrize("batch", ["N", 1, 3])
@pytest.mark.parametrize("layer", ["conv1", "pool1", "conv2"])
def test_occlusion_of_positions(layer: str, batch: int | str, fill: str) -> None:
    model = onnxray.open(models.lenet(batch), models.GREY)
    item = ValueOcclusion(layer=layer, size=3, stride=2, fill=fill)(model, X, 1).items[1]
    value = models.run(models.lenet(), {"x": encoded(X[1:])}, [layer])[0][0]
    expected, at = occluded_value(layer, value, fill, 3, 2)
    np.testing.assert_allclose(item.attribution, at, atol=2e-5)
    assert item.heat.shape == (14, 14)
    if value.shape[1:] == (14, 14):
        np.testing.assert_allclose(item.heat, expected, atol=2e-5)


def from_layer(layer: str, value: models.Array) -> models.Array:
    """ip2 from a value on, by a model that starts there."""
    copy = models.lenet()
    kept = []
    reached = {layer}
    for node in copy.graph.node:
        if set(node.input) & reached:
            kept.append(node)
            reached.update(node.output)
    del copy.graph.node[:], copy.graph.input[:], copy.graph.output[:]
    copy.graph.node.extend(kept)
    copy.graph.input.append(onnx.helper.make_tensor_value_info(layer, 1, None))
    copy.graph.output.append(onnx.ValueInfoProto(name="ip2"))
    return models.run(copy, {layer: value})[0].astype(np.float64)


def occluded_value(
    layer: str, value: models.Array, fill: str, size: int, stride: int
) -> tuple[models.Array, models.Array]:
    windows, grid = sliding_windows(value.shape[1:], size, stride)
    clean, drops = from_layer(layer, value[None])[0, 1], []
    total, count = np.zeros(value.shape[1:]), np.zeros(value.shape[1:])
    for top, bottom, left, right in windows:
        changed = value.copy()
        for c in range(len(value)):
            changed[c, top:bottom, left:right] = value[c].mean() if fill == "mean" else 0
        drops.append(clean - from_layer(layer, changed[None])[0, 1])
        total[top:bottom, left:right] += drops[-1]
        count[top:bottom, left:right] += 1
    return total / count, np.array(drops).reshape(grid)


@pytest.mark.parametrize("layer", ["relu1", "conv2", "ip1"])
def test_occlusion_of_channels(layer: str) -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    item = ValueOcclusion(layer=layer, parts="channels")(model, X[:1], 1).items[0]
    value = models.run(models.lenet(), {"x": encoded(X[:1])}, [layer])[0]
    clean, expected = from_layer(layer, value)[0, 1], []
    for c in range(value.shape[1]):
        changed = value.copy()
        changed[:, c] = 0
        expected.append(clean - from_layer(layer, changed)[0, 1])
    np.testing.assert_allclose(item.attribution, expected, atol=2e-5)
    assert item.numbers_["channels"][0]["channel"] == int(np.argmax(expected))
    assert (item.reason is not None) == (layer == "ip1")


SKIP = """
skip (float[N,1,14,14] x) => (float[N,5] z) {
  a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1)
  b = Relu (a)
  c = Add (b, x)
  shape = Shape (x)
  zero = Constant <value_ints = [0]> ()
  one = Constant <value_ints = [1]> ()
  n = Slice (shape, zero, one)
  rest = Constant <value_ints = [-1]> ()
  flat_shape = Concat <axis = 0> (n, rest)
  d = Reshape (c, flat_shape)
  z = MatMul (d, w2)
}
"""


def test_what_goes_around_the_layer_stays() -> None:
    weights = {"w1": models.random(0, 4, 1, 3, 3), "w2": models.random(1, 784, 5)}
    model = onnxray.open(models.parse(SKIP, weights), models.GREY)
    item = ValueOcclusion(layer="b", parts="channels")(model, X[:1], 1).items[0]
    x = encoded(X[:1])
    b = models.run(models.parse(SKIP, weights), {"x": x}, ["b"])[0]
    expected = (b.reshape(1, 4, -1) * weights["w2"][:, 1].reshape(1, 4, -1)).sum(2)[0]
    np.testing.assert_allclose(item.attribution, expected, rtol=1e-4, atol=1e-4)


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
        assert item.images == {}


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
        return models.run(models.parse(text, weights), {"x": x})[0][:, 4, 1]

    item = Occlusion(size=3, stride=2, fill="black")(model, image, "boxes[4,1]").items[0]
    expected, at = by_hand(image[0], 3, 2, 0.0, score)
    np.testing.assert_allclose(item.heat, expected, atol=1e-4 * np.abs(at).max())
    assert "classes" not in item.more
    assert set(item.images) == {"image", "map", "overlay"}


def test_memory_sets_the_batch_and_nothing_else() -> None:
    model = onnxray.open(deep(96, 96), rgb(96, 96))
    images = np.random.default_rng(0).uniform(0, 255, (1, 3, 96, 96)).astype(np.float32)
    pixels = Pixels(images, (None,))
    target = read_target(model, pixels, 1)
    one = Copies(model, pixels, target, 4096).copy_bytes
    small = -(-one // 2**20)
    assert Copies(model, pixels, target, small).batch == small * 2**20 // one
    assert Copies(model, pixels, target, 4096).batch > Copies(model, pixels, target, small).batch
    with pytest.raises(InputError, match=f"takes {small} MiB"):
        Copies(model, pixels, target, small - 1)
    found = [Occlusion(size=20, stride=10, memory=m)(model, images).items[0].heat for m in (small, 512)]
    np.testing.assert_allclose(*found, atol=1e-5 * np.abs(found[0]).max())


def test_live_bytes_are_those_of_the_largest_moment() -> None:
    graph = onnxray.open(models.lenet()).graph
    shapes = shapes_at(graph, {"x": (1, 1, 14, 14)})
    assert shapes["conv2"] == (1, 32, 6, 6)
    assert live_bytes(graph, shapes, ["ip2"]) == 4 * 2 * 32 * 36  # conv2 and relu2
    assert live_bytes(graph, shapes, ["ip2"], ["flat"]) == 4 * (288 + 20)
    assert live_bytes(graph, shapes, ["ip2", "conv1"]) == 4 * (4 * 144 + 2 * 32 * 36)


BAD: list[tuple[Any, dict[str, Any], str]] = [
    (Occlusion, {"size": 0}, "size is 0"),
    (Occlusion, {"stride": 0}, "stride is 0"),
    (Occlusion, {"size": 3, "stride": 4}, "stride is 4; at most the size, 3"),
    (Occlusion, {"size": 2.5}, "size is 2.5"),
    (Occlusion, {"size": 15}, "size is 15; at most 14 fits"),
    (Occlusion, {"stride": 9}, "stride is 9; at most the size"),
    (Occlusion, {"fill": "pink"}, "fill is 'pink'"),
    (Occlusion, {"fill": "nan"}, "fill is 'nan'"),
    (Occlusion, {"memory": 0}, "memory is 0 MiB; one copy of the image takes 1 MiB"),
    (Rise, {"masks": 0}, "masks is 0"),
    (Rise, {"cells": 0}, "cells is 0"),
    (Rise, {"cells": 15}, "cells is 15; at most 14"),
    (Rise, {"keep": 0.0}, "keep is 0.0"),
    (Rise, {"keep": 1.0}, "keep is 1.0"),
    (Rise, {"keep": float("nan")}, "keep is nan"),
    (Rise, {"score": "loss"}, "score is 'loss'"),
    (Rise, {"memory": -1}, "memory is -1 MiB"),
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
    for method in (Rise, ValueOcclusion):
        with pytest.raises(InputError, match="works on images"):
            method()(model, x)


def test_a_saved_result_comes_back(tmp_path: Path) -> None:
    from onnxray.map_item import MapItem

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
    from onnxray.report.class_map import draw_class_map

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
from onnxray.methods.occlusion import Occlusion
from onnxray.methods.rise import Rise
from onnxray.methods.value_occlusion import ValueOcclusion
from support import models
model = onnxray.open(models.lenet(), models.GREY)
for method in (Occlusion(size=4), Rise(masks=9, cells=3), ValueOcclusion()):
    method(model, models.pictures(1))
print(sorted({'torch', 'onnx2torch'} & set(sys.modules)))
"""


def test_no_torch_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_progress_ends_where_it_should() -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    for method in (Occlusion(size=4), Rise(masks=30, cells=3), ValueOcclusion(layer="conv1")):
        seen: list[tuple[int, int]] = []
        method(model, X, progress=lambda done, total, what, seen=seen: seen.append((done, total)))
        assert seen[-1][0] == seen[-1][1]
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        assert len(seen) > 2


def test_a_scan_of_few_windows_is_whole() -> None:
    model = onnxray.open(deep(96, 96), rgb(96, 96))
    pixels = Pixels(np.zeros((1, 3, 96, 96), np.float32), (None,))
    windows, _ = sliding_windows((96, 96), 40, 30)
    copies = Copies(model, pixels, read_target(model, pixels, 0), 512)
    assert planned_scan(copies, windows, pixels, pixels.array[0], patches=True).facts == {"forwards": "whole"}
