"""Patches, their geometry and the memory of copies: against whole forwards."""

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.graph.receptive_field import local_field
from onnxray.graph.value_shapes import live_bytes, shapes_at
from onnxray.images.pixels import Pixels
from onnxray.methods.saliency.perturbation.copies import Copies
from onnxray.methods.saliency.perturbation.occluder_scan import planned_scan
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from onnxray.methods.saliency.perturbation.patched_forward import Patches, planned
from onnxray.methods.saliency.perturbation.windows import sliding_windows
from onnxray.objectives.targets import read_target
from support import models
from support.perturbing import deep, rgb


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


@pytest.mark.parametrize("side", [96, 75])
def test_occlusion_by_patches_is_occlusion(side: int) -> None:
    model = onnxray.open(deep(side, side, 64), rgb(side, side))
    images = np.random.default_rng(0).uniform(0, 255, (2, 3, side, side)).astype(np.float32)
    quick = Occlusion(size=8, stride=7)(model, images).items
    whole = Occlusion(size=8, stride=7, patches=False)(model, images).items
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
    result = Occlusion(size=8, stride=7)(model, images)
    assert result.items[0].numbers_["forwards"] == "whole"
    assert any("patches differ" in note for note in result.provenance.notes)
    expected = Occlusion(size=8, stride=7, patches=False)(model, images).items[0].heat
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


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_spared_is_that_of_the_window_nearest_to_the_middle(turned: bool) -> None:
    """A window that begins or ends at a border is no measure, be it a large one around the middle or a small one."""
    model = onnxray.open(deep(96, 96, 64), rgb(96, 96))
    shapes = shapes_at(model.graph, {"x": (1, 3, 96, 96)})
    field = local_field(model.graph, "x", ["z"], shapes, {})
    middle, large, small = [44, 52, 44, 52], [0, 90, 44, 52], [88, 96, 0, 8]
    order = np.array([2, 3, 0, 1] if turned else [0, 1, 2, 3])
    alone, among = (
        planned(model.judge, field, ["z"], shapes, np.array(windows)[:, order])
        for windows in ([middle], [large, small, middle])
    )
    assert alone is not None
    assert among is not None
    assert among.spared == alone.spared


@pytest.mark.parametrize(("reads", "patched"), [("p", True), ("c", False)])
def test_what_computes_convolutions_again_for_a_shape_is_not_cut(reads: str, patched: bool) -> None:
    """Behind the last cut: of the convolution before it, the tail would run all to learn how many samples there are."""
    text = f"""g (float[N,3,96,96] x) => (float[N,4] z) {{
      a = Conv (x, w)  c = Conv (a, u)  b = Relu (c)  p = GlobalAveragePool (b)
      s = Shape ({reads})  n = Slice (s, zero, one)  to = Concat <axis = 0> (n, rest)  f = Reshape (p, to)
      z = MatMul (f, v)
    }}"""
    weights = {"w": models.random(0, 64, 3, 5, 5), "u": models.random(1, 64, 64, 5, 5), "v": models.random(2, 64, 4)}
    numbers = {"zero": np.array([0]), "one": np.array([1]), "rest": np.array([64])}
    model = onnxray.open(models.parse(text, {**weights, **numbers}), rgb(96, 96))
    shapes = shapes_at(model.graph, {"x": (1, 3, 96, 96)})
    windows, _ = sliding_windows((96, 96), 8, 4)
    found = planned(model.judge, local_field(model.graph, "x", ["z"], shapes, {}), ["z"], shapes, windows)
    assert (found is not None) == patched


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
    found = [Occlusion(size=20, stride=10, batch_memory=m)(model, images).items[0].heat for m in (small, 512)]
    np.testing.assert_allclose(*found, atol=1e-5 * np.abs(found[0]).max())


def test_live_bytes_are_those_of_the_largest_moment() -> None:
    graph = onnxray.open(models.lenet()).graph
    shapes = shapes_at(graph, {"x": (1, 1, 14, 14)})
    assert shapes["conv2"] == (1, 32, 6, 6)
    assert live_bytes(graph, shapes, ["ip2"]) == 4 * 2 * 32 * 36  # conv2 and relu2
    assert live_bytes(graph, shapes, ["ip2"], ["flat"]) == 4 * (288 + 20)
    assert live_bytes(graph, shapes, ["ip2", "conv1"]) == 4 * (4 * 144 + 2 * 32 * 36)


def test_a_scan_of_few_windows_is_whole() -> None:
    model = onnxray.open(deep(96, 96), rgb(96, 96))
    pixels = Pixels(np.zeros((1, 3, 96, 96), np.float32), (None,))
    windows, _ = sliding_windows((96, 96), 40, 30)
    copies = Copies(model, pixels, read_target(model, pixels, 0), 512)
    assert planned_scan(copies, windows, pixels, pixels.array[0], patches=True).facts == {"forwards": "whole"}


@pytest.mark.parametrize(("count", "forwards"), [(63, "whole"), (64, "patches")])
def test_patches_are_worth_it_from_64_windows_on(count: int, forwards: str) -> None:
    model = onnxray.open(deep(96, 96, 64), rgb(96, 96))
    pixels = Pixels(np.random.default_rng(0).uniform(0, 255, (1, 3, 96, 96)).astype(np.float32), (None,))
    windows, _ = sliding_windows((96, 96), 8, 7)
    copies = Copies(model, pixels, read_target(model, pixels, 0), 512)
    assert planned_scan(copies, windows[:count], pixels, pixels.array[0], patches=True).facts["forwards"] == forwards
