"""Curves, ranks, noise and drawn weights, each restated; on networks small enough to compute by hand."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import pytest
import scipy.stats

import onnxray
import onnxray_models
from onnxray.assess.maps.check import Check
from onnxray.assess.maps.insertion_deletion import Curve, blurred, insertion_and_deletion, mean_like, ranked
from onnxray.assess.maps.item import CheckedItem
from onnxray.assess.maps.noise_stability import compared, stability
from onnxray.assess.maps.rank_correlation import rank_correlation
from onnxray.assess.maps.redrawn_weights import drawn_like, reinitialised
from onnxray.assess.maps.summary import figure, summarize
from onnxray.errors import InputError
from onnxray.graph.value_names import Selection
from onnxray.graph.weight_layers import layer_weights
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile
from onnxray.methods.run import Run
from onnxray.methods.saliency.base import Map, Saliency
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.objects_of_maps import Reference
from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.objective import Objective
from onnxray.objectives.parts_of_values import Part
from onnxray.report.map_check_plots import curves_plot, weights_plot
from onnxray.report.map_check_report import check_pictures, figure_lines
from onnxray.results.result import Result
from support import models

LINEAR = """
linear (float[N,1,3,4] x) => (float[N,1] z) {
  flat = Flatten (x)
  z = MatMul (flat, w)
}
"""
W = models.random(1, 12, 1)
RAW = Profile(name="raw", layout="NCHW", channels="GREY", scale=1.0, mean=(40.0,), std=(1.0,), size=(3, 4))


def linear() -> onnxray.Model:
    return onnxray.open(models.parse(LINEAR, {"w": W}), RAW)


def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("steps", [12, 5, 1, 100])
def test_curves_and_areas_by_brute_force(steps: int) -> None:
    """Pixel after pixel replaced by hand; the area by trapezoids between uneven fractions."""
    x = np.random.default_rng(5).integers(0, 255, (1, 1, 3, 4)).astype(np.float32)
    heat = models.random(6, 3, 4)
    model = linear()
    target = Part(Selection("z"))
    found = insertion_and_deletion(
        model, Pixels(x, (None,)), target, heat, steps=steps, start="mean", random=random()
    )  # fmt: skip
    order = np.argsort(-heat.ravel())
    steps = min(steps, 12)
    counts = [round(k * 12 / steps) for k in range(steps + 1)]
    for curve, before, after in zip(found, (np.full(12, 40.0), x.ravel()), (x.ravel(), np.full(12, 40.0))):
        scores = []
        for count in counts:
            image = before.copy()
            for pixel in order[:count]:
                image[pixel] = after[pixel]
            scores.append(float((image - 40) @ W[:, 0]))
        np.testing.assert_allclose(curve.scores, scores, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(curve.fractions, np.array(counts) / 12)
        area = sum(
            (scores[k] + scores[k + 1]) / 2 * (counts[k + 1] - counts[k]) / 12 for k in range(steps)
        )  # fmt: skip
        assert curve.area == pytest.approx(area, rel=1e-4, abs=1e-3)


def test_the_true_order_deletes_fastest() -> None:
    """Of all maps, the one that ranks by the true contribution has the smallest deletion and largest insertion area."""
    x = np.random.default_rng(5).integers(0, 255, (1, 1, 3, 4)).astype(np.float32)
    contribution = ((x.ravel() - 40) * W[:, 0]).reshape(3, 4)
    model, target = linear(), Part(Selection("z"))

    def areas(heat: Any) -> tuple[float, float]:
        curves = insertion_and_deletion(
            model, Pixels(x, (None,)), target, heat, steps=12, start="mean", random=random()
        )  # fmt: skip
        return curves[0].area, curves[1].area

    best = areas(contribution)
    for seed in range(20):
        other = areas(models.random(seed, 3, 4))
        assert best[0] > other[0]
        assert best[1] < other[1]


def test_equal_pixels_come_in_random_order() -> None:
    heat = np.array([[1.0, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0]])
    places = [ranked(heat, np.random.default_rng(seed)) for seed in range(30)]
    for place in places:
        assert sorted(place.ravel()) == list(range(12))
        assert place[1, 0] == 0
        assert place[0, 0] == 1
    assert len({tuple(place.ravel()) for place in places}) > 20
    assert np.mean([place[0, 1:].mean() for place in places]) == pytest.approx(6.5, abs=0.7)


def test_baselines() -> None:
    model = onnxray.open("lenet")
    pixels = model.pixels(onnxray_models.samples("lenet")[:1])
    assert not mean_like(model, pixels).any()
    (curve, deleted) = insertion_and_deletion(
        model, pixels, ClassScore("ip2", np.array([0]), "probability"), pixels.array[0, 0], steps=10, random=random()
    )  # fmt: skip
    black = model.predict(np.zeros((1, 28, 28), np.uint8)).probabilities[0, 0]
    whole = model.predict(pixels).probabilities[0, 0]
    hazy = model.predict(blurred(pixels.array[0])[None]).probabilities[0, 0]
    assert deleted.scores[-1] == pytest.approx(black, rel=1e-4)
    assert deleted.scores[0] == pytest.approx(whole, rel=1e-4)
    assert (curve.scores[0], curve.scores[-1]) == (pytest.approx(hazy, rel=1e-4), pytest.approx(whole, rel=1e-4))


def test_blurring_restated() -> None:
    """Each pixel the weighted mean of its 11 x 11 neighbours, sigma 5, the image mirrored about its edge pixels."""
    image = np.random.default_rng(2).uniform(0, 255, (2, 13, 17)).astype(np.float32)
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / 50.0)
    kernel /= kernel.sum()
    padded = np.pad(image.astype(np.float64), ((0, 0), (5, 5), (5, 5)), mode="reflect")
    expected = np.zeros(image.shape)
    for dy in range(11):
        for dx in range(11):
            expected += kernel[dy] * kernel[dx] * padded[:, dy : dy + 13, dx : dx + 17]
    np.testing.assert_allclose(blurred(image), expected, rtol=1e-5)


def test_rank_correlation_is_spearmans() -> None:
    rng = np.random.default_rng(1)
    for k in range(20):
        a, b = rng.integers(0, 4 + 3 * k, (2, 6, 7))  # many ties
        assert rank_correlation(a, b) == pytest.approx(scipy.stats.spearmanr(a.ravel(), b.ravel())[0])
    assert rank_correlation(np.arange(5), np.arange(5) ** 3) == pytest.approx(1)
    assert rank_correlation(np.arange(5), np.full(5, 2.0)) is None


def test_noise_restated() -> None:
    """A map that is the image itself changes by ||e|| / ||x||; copies stay in the noise's bounds and in [0, 255]."""
    x = np.random.default_rng(3).uniform(0, 255, (1, 1, 8, 9)).astype(np.float32)
    seen: list[Any] = []

    def maps(noisy: Pixels) -> list[Any]:
        seen.append(noisy.array)
        return [{None: image[0]} for image in noisy.array]

    found = stability(maps, Pixels(x, (None,)), {None: x[0, 0]}, copies=6, level=20.0, random=random())[None]
    noise = seen[0] - x
    assert noise.shape == (6, 1, 8, 9)
    assert np.abs(noise).max() <= 20.001
    assert np.abs(noise).max() > 19
    assert seen[0].min() >= 0
    assert seen[0].max() <= 255
    changes = [np.linalg.norm(one) / np.linalg.norm(x) for one in noise]
    assert found["mean"] == pytest.approx(np.mean(changes), rel=1e-5)
    assert found["max"] == pytest.approx(np.max(changes), rel=1e-5)
    spearman = [scipy.stats.spearmanr(x.ravel(), one.ravel())[0] for one in seen[0]]
    assert found["correlation"] == pytest.approx(np.mean(spearman))
    assert compared(np.zeros((2, 2)), [np.ones((2, 2))])["reason"] == "the map is zero everywhere"


def weights_of(model: onnxray.Model) -> dict[str, Any]:
    return {name: model.graph.weight(name) for name in model.graph.initializers}


@pytest.mark.parametrize("draw", ["normal", "permuted"])
@pytest.mark.parametrize("order", ["cascade", "independent"])
def test_which_weights_are_drawn_anew(order: Any, draw: Any) -> None:
    """From the output down; all others are as they were, and the changed network computes what its weights say."""
    model = onnxray.open(models.lenet(), models.GREY)
    own = {"ip2": {"w4", "b4"}, "ip1": {"w3", "b3"}, "conv2": {"w2", "b2"}, "conv1": {"w1", "b1"}}
    assert {layer: set(names) for layer, names in layer_weights(model.graph).items()} == own
    before = weights_of(model)
    stages = list(reinitialised(model, order=order, draw=draw, random=random()))
    assert [layer for layer, _ in stages] == list(own)
    drawn = set[str]()
    for layer, changed in stages:
        drawn = drawn | own[layer] if order == "cascade" else own[layer]
        after = weights_of(changed)
        for name, array in before.items():
            assert np.array_equal(array, after[name]) == (name not in drawn), name
            if name in drawn and draw == "permuted":
                np.testing.assert_array_equal(np.sort(array.ravel()), np.sort(after[name].ravel()))
        x = models.pictures(3)
        expected = models.run(models.lenet(weights=after), {"x": (x / 255 - 0.5) / 0.5}, ["ip2"])[0]
        np.testing.assert_allclose(changed.values(x, ["ip2"])["ip2"], expected, rtol=1e-3, atol=1e-4)
        assert changed.profile is model.profile
    assert len(list(reinitialised(model, stages=2, random=random()))) == 2
    few = [layer for layer, _ in reinitialised(model, stages=2, random=random())]
    assert few == ["ip2", "conv1"]


def test_how_numbers_are_drawn() -> None:
    old = models.random(4, 200, 300, scale=3.0) + 5
    new = drawn_like(old, "normal", random())
    assert new.dtype == old.dtype
    assert new.mean() == pytest.approx(old.mean(), abs=0.05)
    assert new.std() == pytest.approx(old.std(), rel=0.02)
    assert abs(np.corrcoef(new.ravel(), old.ravel())[0, 1]) < 0.02
    small = np.random.default_rng(0).integers(-128, 128, (50, 50)).astype(np.int8)
    drawn = drawn_like(small, "normal", random())
    assert drawn.dtype == np.int8
    assert np.unique(drawn).size > 100


QUANTISED = """
quantised (float[N,6] x) => (float[N,3] z) {
  w = DequantizeLinear (q, scale, zero)
  h = MatMul (x, w)
  z = Add (h, b)
}
"""


def test_stored_integers_and_biases_are_found() -> None:
    weights = {
        "q": np.random.default_rng(0).integers(-100, 100, (6, 3)).astype(np.int8), "scale": np.float32(0.05),
        "zero": np.int8(0), "b": models.random(2, 3),
    }  # fmt: skip
    model = onnxray.open(models.parse(QUANTISED, {name: np.asarray(array) for name, array in weights.items()}))
    ((layer, changed),) = reinitialised(model, random=random())
    assert layer == "z"
    after = weights_of(changed)
    assert not np.array_equal(after["q"], weights["q"])
    assert not np.array_equal(after["b"], weights["b"])
    assert after["scale"] == weights["scale"]
    x = models.random(5, 4, 6)
    (expected,) = models.run(models.parse(QUANTISED, after), {"x": x})
    np.testing.assert_allclose(changed.values(x, ["z"])["z"], expected, rtol=1e-5, atol=1e-6)


def test_constant_nodes_are_drawn_too() -> None:
    text = "n (float[N,4] x) => (float[N,2] z) { w = Constant <value = float[4,2] {1,2,3,4,5,6,7,8}> ()  z = MatMul (x, w) }"
    model = onnxray.open(models.parse(text))
    ((_, changed),) = reinitialised(model, draw="permuted", random=random())
    x = np.eye(4, dtype=np.float32)
    found = changed.values(x, ["z"])["z"]
    assert sorted(found.ravel()) == list(range(1, 9))
    assert not np.array_equal(found, np.arange(1, 9).reshape(4, 2))


def test_a_network_without_weights_says_so() -> None:
    model = onnxray.open(models.parse("n (float[N,4] x) => (float[N,4] z) { z = Relu (x) }"))
    with pytest.raises(InputError, match="no convolution or linear layer with weights"):
        list(reinitialised(model, random=random()))


def test_external_weights(tmp_path: Path) -> None:
    onnx.save(models.lenet(), tmp_path / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=0)
    model = onnxray.open(tmp_path / "m.onnx", models.GREY)
    layer, changed = next(reinitialised(model, order="independent", random=random()))
    assert layer == "ip2"
    np.testing.assert_array_equal(weights_of(changed)["w2"], models.lenet_weights()["w2"])
    assert not np.array_equal(weights_of(changed)["w4"], models.lenet_weights()["w4"])


@pytest.fixture(scope="module")
def digits() -> list[Path]:
    return [onnxray_models.samples("lenet")[k] for k in (0, 41, 72)]


def test_a_check_of_the_gradient_on_lenet(digits: list[Path], tmp_path: Path) -> None:
    model = onnxray.open("lenet")
    check = Check(method=Gradient(), references=(Reference(box=(4, 4, 24, 24)),) * 3, curve_steps=20, noise_copies=3)
    result = check(model, digits)
    plain = Gradient()(model, digits)
    for item, alone, path in zip(result.items, plain.items, digits):
        np.testing.assert_array_equal(item.map.heat, alone.heat)
        assert item.map.path == str(path)
        found = item.figures
        assert found["measured"].startswith("probability of class")
        assert len(found["insertion"]["scores"]) == 21
        assert found["deletion"]["area"] < found["insertion"]["area"]
        assert found["pointed_at"] is True
        correlations = [entry["correlation"] for entry in found["weights"]]
        assert [entry["layer"] for entry in found["weights"]] == ["ip2", "ip1", "conv2", "conv1"]
        assert all(rho < 0.9 for rho in correlations)
    assert summarize(result.items)[0]["weights"][-1]["mean"] < 0.7
    (row,) = summarize(result.items)
    areas = [item.figures["insertion"]["area"] for item in result.items]
    assert row["insertion"] == {
        "mean": pytest.approx(np.mean(areas)), "median": pytest.approx(np.median(areas)), "count": 3,
    }  # fmt: skip
    assert row["pointed_at"]["mean"] == 1
    again = check(model, digits)
    assert [item.figures for item in again.items] == [item.figures for item in result.items]
    pictures = check_pictures(result)
    assert set(pictures) == {"sheet.png", "curves.png", "weights.png"}
    saved = result.save(tmp_path / "run", pictures)
    loaded = Result.load(tmp_path / "run", CheckedItem)
    assert [item.numbers() for item in loaded.items] == json.loads(
        json.dumps([item.numbers() for item in result.items])
    )
    assert saved.to_dict()["method"]["options"]["method_options"]["channels"] == "maximum"


@dataclass(frozen=True, kw_only=True)
class Brightness(Saliency):
    """A map that shows the image and nothing of the network."""

    name: ClassVar[str] = "brightness"

    def maps(self, model: onnxray.Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        for row, image in enumerate(pixels.array):
            if model.graph.path is None and image[0, 0, 0] == 7:
                raise InputError("the changed network was refused")
            yield row, Map(heat=image[0])


def test_a_map_of_the_image_alone_is_found_out(digits: list[Path]) -> None:
    model = onnxray.open("lenet")
    for weights in ("cascade", "independent"):
        result = Check(method=Brightness(), weights=weights, curve_steps=0)(model, digits)  # type: ignore[arg-type]
        for item in result.items:
            assert [entry["correlation"] for entry in item.figures["weights"]] == [pytest.approx(1)] * 4


def test_a_map_that_cannot_be_had_of_a_changed_network(digits: list[Path]) -> None:
    model = onnxray.open("lenet")
    image = model.pixels(digits[:1]).array.copy()
    image[0, 0, 0, 0] = 7
    (item,) = Check(method=Brightness(), curve_steps=0, noise_copies=0)(model, image).items
    assert [entry["correlation"] for entry in item.figures["weights"]] == [None] * 4
    assert {entry["reason"] for entry in item.figures["weights"]} == {"the changed network was refused"}
    assert weights_plot([CheckedItem(map=item.map, figures=item.figures)], title="t", order="cascade")
    (row,) = summarize([item])
    assert row["weights"][0] == {"layer": "ip2", "mean": None, "median": None, "count": 0}


def test_what_is_left_out(digits: list[Path]) -> None:
    model = onnxray.open("lenet")
    result = Check(method=Gradient(), curve_steps=0, noise_copies=0, weights="none")(model, digits[:1])
    assert result.items[0].figures == {}
    assert [(row["method"], row["images"]) for row in result.extra["summary"]] == [("gradient", 1)]
    assert curves_plot(result.items, title="t") is None
    assert weights_plot(result.items, title="t", order="cascade") is None
    assert figure(result.items[0], "insertion") is None
    for options, said in (
        ({"curve_steps": -1}, "curve_steps is -1"),
        ({"noise_level": 0.0}, "noise_level is 0.0"),
        ({"weights": "all"}, "weights is 'all'"),
        ({"weights_stages": 0}, "weights_stages is 0"),
    ):
        with pytest.raises(InputError, match=said):
            Check(method=Gradient(), **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="1 references for 3 images"):
        Check(method=Gradient(), references=(Reference(box=(1, 1, 2, 2)),))(model, digits)


def test_samples_that_are_no_images() -> None:
    """Each number is a pixel, baselines are zero, noise is in the sample's own range."""
    model = onnxray.open(models.parse("n (float[N,12] x) => (float[N,1] z) { z = MatMul (x, w) }", {"w": W}))
    x = models.random(8, 3, 12)
    result = Check(method=Gradient(), curve_steps=12, noise_copies=2)(model, x, "z")
    for sample, item in zip(x, result.items):
        order = np.argsort(-np.abs(W[:, 0]))
        expected = [float(sum(sample[j] * W[j, 0] for j in order[:k])) for k in range(13)]
        np.testing.assert_allclose(item.figures["insertion"]["scores"], expected, rtol=1e-4, atol=1e-4)
        assert item.figures["noise"]["mean"] == pytest.approx(0, abs=1e-6)  # a linear network's gradient is constant
        assert list(item.map.images) == ["map"]
    assert set(check_pictures(result)) == {"curves.png", "weights.png"}
    with pytest.raises(InputError, match="a reference box needs images"):
        Check(method=Gradient(), references=(Reference(box=(1, 1, 2, 2)),) * 3)(model, x, "z")


def test_the_area_of_a_curve() -> None:
    assert Curve(fractions=(0.0, 0.25, 1.0), scores=(0.0, 1.0, 0.5)).area == pytest.approx(0.125 + 0.5625)


def test_a_score_that_is_no_number_has_no_area(digits: list[Path]) -> None:
    """The cosine of an embedding that is zero where all is deleted."""
    found = Curve(fractions=(0.0, 0.5, 1.0), scores=(1.0, 0.5, float("nan"))).numbers()
    assert found["area"] is None
    assert found["scores"] == [1.0, 0.5, None]
    assert "1 of the steps" in found["reason"]
    model = onnxray.open("lenet")
    (item,) = Check(method=Gradient(), curve_steps=4, noise_copies=0, weights="none")(model, digits[:1]).items
    lost = CheckedItem(map=item.map, figures={**item.figures, "deletion": found})
    assert curves_plot([lost], title="t") is None
    assert "del -" in figure_lines(lost)[0]
    assert figure(lost, "deletion") is None
    assert summarize([lost])[0].get("deletion") is None
