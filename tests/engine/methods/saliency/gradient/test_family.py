"""The gradient family, restated in numpy on networks whose derivative is written by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.filters import gaussian

import onnxray
from onnxray.errors import InputError
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.gradient import base as pixel_maps
from onnxray.methods.saliency.gradient.base import PixelAttribution
from onnxray.methods.saliency.gradient.baselines import baselines
from onnxray.methods.saliency.gradient.deconvnet import DeconvNet
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.gradient.guided_backpropagation import GuidedBackpropagation
from onnxray.methods.saliency.gradient.input_x_gradient import InputXGradient
from onnxray.methods.saliency.gradient.integrated_gradients import IntegratedGradients, quadrature
from onnxray.methods.saliency.gradient.smoothgrad import SmoothGrad
from onnxray.methods.saliency.item import MapItem
from onnxray.objectives.gradients import gradient, judged
from onnxray.objectives.targets import read_target
from support import models
from support.trusted import trusted

Array = NDArray[Any]

SMOOTH = """
net (float[N,6] x) => (float[N,1] z) {
  h = MatMul (x, w)
  t = Tanh (h)
  z = MatMul (t, v)
}
"""
W, V = models.random(1, 6, 8, scale=0.3), models.random(2, 8, 1)
SAMPLES = models.random(3, 4, 6)
PICTURES = models.pictures(3, seed=5)
METHODS: list[Saliency] = [
    Gradient(), InputXGradient(), GuidedBackpropagation(), DeconvNet(), IntegratedGradients(steps=4, max_steps=4),
    SmoothGrad(samples=3), SmoothGrad(of="integrated-gradients", setting=("steps=3", "max-steps=3"), samples=2),
]  # fmt: skip


def slope(x: Array) -> Array:
    """d z / d x = W ((1 - tanh^2(x W)) v^T)^T, row by row."""
    x = x.astype(np.float64)
    return ((1 - np.tanh(x @ W) ** 2) * V.T) @ W.T


def score(x: Array) -> Array:
    return (np.tanh(x.astype(np.float64) @ W) @ V)[:, 0]


@pytest.fixture(scope="module")
def smooth() -> onnxray.Model:
    opened = onnxray.open(models.parse(SMOOTH, {"w": W, "v": V}))
    trusted(opened)
    return opened


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    opened = onnxray.open(models.lenet(), models.GREY)
    trusted(opened)
    return opened


def attributions(method: Saliency, model: onnxray.Model, images: Array, target: Any = "z") -> Array:
    return np.stack([item.attribution for item in method(model, images, target).items])


def close(found: Any, expected: Any, relative: float = 2e-5) -> None:
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=relative, atol=relative * np.abs(expected).max())


def test_gradient_and_input_x_gradient_of_samples_that_are_no_images(smooth: onnxray.Model) -> None:
    close(attributions(Gradient(), smooth, SAMPLES), slope(SAMPLES))
    close(attributions(InputXGradient(), smooth, SAMPLES), SAMPLES * slope(SAMPLES))
    items = Gradient()(smooth, SAMPLES, "z").items
    close([item.heat for item in items], np.abs(slope(SAMPLES)))
    close([item.heat for item in Gradient(channels="sum")(smooth, SAMPLES, "z").items], slope(SAMPLES))
    assert [list(item.images) for item in items] == [["map"]] * len(items)
    with pytest.raises(InputError, match="black means zero"):
        InputXGradient(baseline="white")(smooth, SAMPLES, "z")


@pytest.mark.parametrize(("baseline", "grey"), [("black", 0), ("mean", 127.5), ("white", 255)])
def test_input_x_gradient_counts_from_its_baseline(lenet: onnxray.Model, baseline: Any, grey: float) -> None:
    found = attributions(InputXGradient(baseline=baseline), lenet, PICTURES, "ip2:1")
    close(found, (PICTURES - grey) * attributions(Gradient(), lenet, PICTURES, "ip2:1"))


@pytest.mark.parametrize(
    ("channels", "reduced"),
    [
        ("maximum", lambda a: np.abs(a).max(1)),
        ("magnitude", lambda a: np.abs(a).sum(1)),
        ("sum", lambda a: a.sum(1)),
    ],
)
def test_maps_are_reduced_over_the_channels(channels: Any, reduced: Callable[[Array], Array]) -> None:
    text = "net (float[N,3,5,7] x) => (float[N,1] z) {\n a = Mul (x, w)\n f = Flatten (a)\n z = MatMul (f, v) }"
    weights = {"w": models.random(5, 1, 3, 5, 7), "v": models.random(6, 105, 1)}
    profile = onnxray.Profile(
        name="colour", layout="NCHW", channels="RGB", scale=1.0, mean=(0, 0, 0), std=(1, 1, 1), size=(5, 7)
    )
    model = onnxray.open(models.parse(text, weights), profile)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 7)).astype(np.uint8)
    items = Gradient(channels=channels)(model, pixels, "z").items
    expected = np.broadcast_to(weights["w"] * weights["v"].reshape(1, 3, 5, 7), (2, 3, 5, 7))
    close([item.heat for item in items], reduced(expected))
    assert [item.signed for item in items] == [channels == "sum"] * 2
    assert items[0].images["map"].shape == (3, 5, 7)


@pytest.mark.parametrize(("rule", "steps"), [("trapezoid", 1), ("trapezoid", 7), ("gauss-legendre", 24)])
def test_integrated_gradients(smooth: onnxray.Model, rule: Any, steps: int) -> None:
    method = IntegratedGradients(quadrature=rule, steps=steps, max_steps=steps, gap=10)
    if rule == "trapezoid":  # (g_0 / 2 + g_1 + ... + g_s / 2) / s
        slopes = [slope(SAMPLES * (k / steps)) * (0.5 if k in {0, steps} else 1) for k in range(steps + 1)]
        expected = SAMPLES * np.sum(slopes, axis=0) / steps
    else:  # the integral itself, by 4000 midpoints
        expected = SAMPLES * np.mean([slope(SAMPLES * ((k + 0.5) / 4000)) for k in range(4000)], axis=0)
    close(attributions(method, smooth, SAMPLES), expected)
    items = method(smooth, SAMPLES, "z").items
    change = score(SAMPLES) - score(0 * SAMPLES)
    close([item.numbers_["score_change"] for item in items], change)
    gaps = np.abs(expected.sum(1) - change) / np.abs(change)
    np.testing.assert_allclose([item.numbers_["gap"] for item in items], gaps, rtol=1e-3, atol=3e-6)


def test_steps_are_doubled_until_the_gap_is_met_image_by_image(lenet: onnxray.Model) -> None:
    found = IntegratedGradients(steps=1, gap=0.02, max_steps=512)(lenet, PICTURES, "ip2:1").items
    assert [item.reason for item in found] == [None] * 3
    for item, picture in zip(found, PICTURES):
        assert item.numbers_["gap"] <= 0.02
        steps = item.numbers_["steps"]
        assert steps > 1
        fewer = IntegratedGradients(steps=steps // 2, gap=0, max_steps=steps // 2)(lenet, picture[None], "ip2:1")
        assert fewer.items[0].numbers_["gap"] > 0.02
        assert f"at {steps // 2} steps, above 0" in str(fewer.items[0].reason)
        same = IntegratedGradients(steps=steps, max_steps=steps)(lenet, picture[None], "ip2:1").items[0]
        np.testing.assert_array_equal(item.attribution, same.attribution)
    assert len({item.numbers_["steps"] for item in found}) > 1


def test_the_quadratures_integrate_what_they_should() -> None:
    for steps in (1, 2, 5, 64):
        points, weights = quadrature("gauss-legendre", steps)
        for power in range(2 * steps if steps < 10 else 20):
            assert weights @ points**power == pytest.approx(1 / (power + 1))
        points, weights = quadrature("trapezoid", steps)
        assert len(points) == steps + 1
        assert weights.sum() == pytest.approx(1)
        assert weights @ points == pytest.approx(1 / 2)


@pytest.mark.parametrize("kind", ["black", "mean", "white", "blurred", "random"])
def test_integrated_gradients_from_each_baseline(lenet: onnxray.Model, kind: Any) -> None:
    pixels = lenet.pixels(PICTURES)
    if kind == "random":
        starts = np.stack([of_image(7, row).uniform(0, 255, (3, 1, 14, 14)) for row in range(3)])
    elif kind == "blurred":
        starts = np.stack([gaussian(picture[0], 2.5, mode="nearest")[None, None] for picture in PICTURES])
    else:
        starts = np.full((3, 1, 1, 14, 14), {"black": 0, "mean": 127.5, "white": 255}[kind])
    for row in range(3):
        made = baselines(kind, lenet, pixels, row, blur=2.5, trials=3, random=of_image(7, row))
        close(made + 1, starts[row] + 1)
    method = IntegratedGradients(baseline=kind, blur=2.5, trials=3, steps=5, max_steps=5)
    target = read_target(lenet, pixels, "ip2:1")
    points, weights = quadrature("gauss-legendre", 5)
    items = method(lenet, PICTURES, "ip2:1", seed=7).items
    for item, picture, begin in zip(items, PICTURES, starts):
        parts, begun = [], []
        for start in begin.astype(np.float32):
            way = picture - start
            along = lenet.pixels(PICTURES[:1]).rows(np.zeros(5, int))
            slopes = gradient(lenet, along.replaced(np.stack([start + a * way for a in points])), target)
            parts.append(way * np.tensordot(weights, slopes, 1))
            begun.append(judged(lenet, lenet.pixels(PICTURES[:1]).replaced(start[None]), target)[0])
        close(item.attribution, np.mean(parts, axis=0), 1e-4)
        change = item.target_score - np.mean(begun)
        gap = abs(np.mean(parts, axis=0).sum() - change) / abs(change)
        assert item.numbers_["gap"] == pytest.approx(gap, rel=1e-3, abs=1e-5)


def test_an_image_that_is_its_own_baseline(lenet: onnxray.Model) -> None:
    with pytest.raises(InputError, match="image 0 is its own white baseline"):
        IntegratedGradients(baseline="white")(lenet, np.full((1, 14, 14), 255, np.uint8), "ip2:1")


def of_image(seed: int, row: int) -> np.random.Generator:
    """The generator of an image in a run of fewer than 16: the run's own for the first, one by its place for others."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, row) if row else ()))


def noisy(images: Array, samples: int, sigma: Array, seed: int) -> Array:
    """(samples, N, ...): the noisy images, from the first stream of each image's seed."""
    noise = [np.random.default_rng(of_image(seed, row).integers(2**63, size=2)[0]) for row in range(len(images))]
    drawn = np.stack([one.standard_normal((samples, *images.shape[1:])) for one in noise], axis=1)
    return (images + sigma.reshape(-1, *[1] * (images.ndim - 1)) * drawn).astype(np.float32)


AVERAGES: dict[Any, Callable[[Array], Array]] = {
    "mean": lambda a: a.mean(0), "square": lambda a: (a**2).mean(0), "variance": lambda a: a.var(0),
}  # fmt: skip


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("of", ["gradient", "input-x-gradient"])
@pytest.mark.parametrize("unit", ["range", "absolute"])
def test_smoothgrad(smooth: onnxray.Model, average: Any, of: str, unit: Any) -> None:
    sigma = 0.2 * (np.ptp(SAMPLES, axis=1) if unit == "range" else np.ones(4))
    images = noisy(SAMPLES, 7, sigma, seed=11)
    maps = slope(images.reshape(-1, 6)).reshape(images.shape) * (images if of == "input-x-gradient" else 1)
    method = SmoothGrad(of=of, average=average, samples=7, noise=0.2, unit=unit, setting="channels=sum")
    items = method(smooth, SAMPLES, "z", seed=11).items
    close([item.attribution for item in items], AVERAGES[average](maps), 1e-4)
    assert [item.signed for item in items] == [average == "mean"] * 4
    close([item.numbers_["noise_scale"] for item in items], sigma)


def test_smoothgrad_does_not_depend_on_how_the_samples_are_chunked(
    lenet: onnxray.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    for of in ("gradient", "integrated-gradients"):
        settings = ("steps=3", "max-steps=3", "baseline=random", "trials=2") if of != "gradient" else ()
        method = SmoothGrad(of=of, samples=5, setting=settings)
        with monkeypatch.context() as patch:
            whole = attributions(method, lenet, PICTURES, "ip2:1")
            patch.setattr(pixel_maps, "_BLOCK_ELEMENTS", 2 * 196)
            close(attributions(method, lenet, PICTURES, "ip2:1"), whole, 1e-5)


def test_smoothgrad_of_a_rule_on_several_rectifiers(lenet: onnxray.Model) -> None:
    method = SmoothGrad(of="guided-backpropagation", setting="rectifiers=Relu,Relu6", samples=2)
    assert "guided rule on 2 Relu" in method(lenet, PICTURES[:1], "ip2:1").provenance.notes


def test_smoothgrad_tells_of_what_it_smooths(lenet: onnxray.Model) -> None:
    settings = ("steps=2", "max-steps=2", "gap=0")
    item = SmoothGrad(of="integrated-gradients", setting=settings, samples=3)(lenet, PICTURES[:1], "ip2:1").items[0]
    assert item.numbers_["largest_steps"] == 2
    assert item.numbers_["largest_gap"] > 0
    assert str(item.reason).startswith("in 3 of 3 samples: the completeness gap is")
    with pytest.raises(InputError, match="is of one colour"):
        SmoothGrad()(lenet, np.full((1, 14, 14), 9, np.uint8), "ip2:1")
    assert SmoothGrad(unit="absolute", noise=9, samples=2)(lenet, np.full((1, 14, 14), 9, np.uint8), "ip2:1").items


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": "occlude"}, "no method 'occlude'; did you mean 'occlusion'\\? there are: .*gradient"),
        ({"of": "smoothgrad"}, "name another method"),
        (
            {"setting": ("steps=3",)},
            "gradient has no option 'steps'; it has: .*channels",
        ),
        ({"setting": ("channels",)}, "METHOD.OPTION=VALUE was expected"),
        ({"setting": ("score=margin",)}, "'score=margin' is smoothgrad's own option"),
        ({"setting": ("channels=all",)}, "channels is 'all'"),
        ({"of": "integrated-gradients", "setting": ("steps=many",)}, "steps=many': a whole number"),
        ({"of": "integrated-gradients", "setting": ("gap=some",)}, "gap=some': a number"),
        ({"average": "variance", "samples": 1}, "samples is 1; a whole number from 2 to 100000"),
        ({"noise": 0.0}, "noise is 0.0"),
        ({"average": "median"}, "average is 'median'"),
    ],
)
def test_smoothgrad_of_what_is_not_there(options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SmoothGrad(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0"), ({"steps": 64, "max_steps": 32}, "max_steps is 32; a whole number from 64 to 4096"),
        ({"gap": -1.0}, "gap is -1.0"), ({"trials": 0}, "trials is 0"), ({"blur": 0.0}, "blur is 0.0"),
        ({"baseline": "grey"}, "baseline is 'grey'"),
    ],
)  # fmt: skip
def test_integrated_gradients_with_options_that_do_not_fit(options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        IntegratedGradients(**options)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.name))
def test_files_that_fix_their_batch(lenet: onnxray.Model, method: PixelAttribution, batch: int) -> None:
    fixed = onnxray.open(models.lenet(batch), models.GREY)
    trusted(fixed)
    close(attributions(method, fixed, PICTURES, "ip2:1"), attributions(method, lenet, PICTURES, "ip2:1"), 1e-4)


@pytest.mark.parametrize("ending", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("reshaped", [False, True])
def test_a_closing_softmax_is_looked_through_and_said(lenet: onnxray.Model, ending: str, reshaped: bool) -> None:
    text = models.LENET.format(batch="N").replace(
        "prob = Softmax", f"closed = {ending}" if reshaped else f"prob = {ending}"
    )
    weights: dict[str, Array] = {**models.lenet_weights()}
    if reshaped:
        text = text.replace("(ip2)\n}", "(ip2)\n  prob = Reshape (closed, shape)\n}")
        weights["shape"] = np.array([-1, 5])
    model = onnxray.open(models.parse(text, weights), models.GREY)
    assert model.graph.outputs[0].name == "prob"
    result = Gradient()(model, PICTURES)
    assert "the output 'prob' is a softmax; the target is read at the logits 'ip2'" in result.provenance.notes
    expected = Gradient()(lenet, PICTURES)
    close([item.attribution for item in result.items], [item.attribution for item in expected.items])
    logits = model.values(PICTURES, ["ip2"])["ip2"]
    close([item.target_score for item in result.items], logits.max(1))
    named = Gradient()(model, PICTURES, "value:prob:2").provenance.notes
    assert any("'prob' is a softmax, read as named" in note and "'ip2'" in note for note in named)


def test_a_note_is_said_once_for_many_groups(lenet: onnxray.Model) -> None:
    many = models.pictures(20)
    result = GuidedBackpropagation()(lenet, many, "1")
    assert len(result.items) == 20
    assert sorted(result.provenance.notes) == sorted(set(result.provenance.notes))
    assert "guided rule on 2 Relu" in result.provenance.notes
    alone = GuidedBackpropagation()(lenet, many[18:19], "1").items[0]
    close(result.items[18].attribution, alone.attribution)
    assert isinstance(alone, MapItem)
