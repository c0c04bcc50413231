"""Objectives in both engines, gradients at a layer, and backward rules: against torch on a network written by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

import onnxray
from onnxray.errors import InputError, NotDifferentiable, UnknownValue
from onnxray.graph.value_names import Selection
from onnxray.images.pixels import Pixels
from onnxray.importer.backward_rules import BackwardRules
from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.gradients import gradient, judged, layer_gradient
from onnxray.objectives.likeness import Similarity
from onnxray.objectives.objective import Objective
from onnxray.objectives.parts_of_values import Element, Part
from onnxray.objectives.targets import Like, read_target
from support import models
from support.trusted import trusted

X = models.pictures(3, seed=5)
PIXELS = Pixels(X, (None,) * 3)
CLASSES = np.array([1, 4, 0])
OBJECTIVES: dict[str, Objective] = {
    "logit": ClassScore("ip2", CLASSES),
    "log-probability": ClassScore("ip2", CLASSES, "log-probability"),
    "probability": ClassScore("ip2", CLASSES, "probability"),
    "margin": ClassScore("ip2", CLASSES, "margin"),
    "channel": Part(Selection("conv2", 7)),
    "neuron": Part(Selection("conv2", 7, (2, 3))),
    "element": Element("pool1", np.array([[0, 1, 2], [1, 1, 1], [3, 5, 5]])),
    "similarity": Similarity("ip1", models.random(9, 3, 20).astype(np.float64)),
    "sum": 2 * ClassScore("ip2", CLASSES) - Part(Selection("conv2", 7)),
}


@pytest.fixture(scope="module")
def model() -> onnxray.Model:
    opened = onnxray.open(models.lenet(), models.GREY)
    trusted(opened)
    return opened


def by_hand(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
    w = {name: torch.from_numpy(array).double() for name, array in models.lenet_weights().items()}
    v = {"conv1": functional.conv2d((pixels / 255 - 0.5) / 0.5, w["w1"], w["b1"])}
    v["pool1"] = functional.max_pool2d(functional.relu(v["conv1"]), 2)
    v["conv2"] = functional.conv2d(v["pool1"], w["w2"], w["b2"], padding=1)
    v["ip1"] = functional.avg_pool2d(functional.relu(v["conv2"]), 2).flatten(1) @ w["w3"].T + w["b3"]
    v["ip2"] = v["ip1"] @ w["w4"] + w["b4"]
    return v


def score_by_hand(kind: str, v: dict[str, torch.Tensor]) -> torch.Tensor:
    rows, z = torch.arange(3), v["ip2"]
    own = z[rows, CLASSES]
    if kind == "margin":
        others = z.clone()
        others[rows, CLASSES] = -torch.inf
        return own - others.max(1).values
    if kind in {"log-probability", "probability"}:
        return getattr(z, "log_softmax" if kind.startswith("log") else "softmax")(1)[rows, CLASSES]
    if kind == "similarity":
        return functional.cosine_similarity(v["ip1"], torch.from_numpy(models.random(9, 3, 20)).double())
    channel = v["conv2"][:, 7].mean((1, 2))
    return {
        "logit": own,
        "channel": channel,
        "neuron": v["conv2"][:, 7, 2, 3],
        "element": torch.stack([v["pool1"][0, 0, 1, 2], v["pool1"][1, 1, 1, 1], v["pool1"][2, 3, 5, 5]]),
        "sum": 2 * own - channel,
    }[kind]


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_objectives_and_their_gradients(model: onnxray.Model, kind: str) -> None:
    pixels = torch.from_numpy(X).double().requires_grad_()
    score = score_by_hand(kind, by_hand(pixels))
    close(judged(model, PIXELS, OBJECTIVES[kind]), score.detach().numpy())
    close(gradient(model, PIXELS, OBJECTIVES[kind]), torch.autograd.grad(score.sum(), pixels)[0].numpy())


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_rows_repeat_an_objective(model: onnxray.Model, kind: str) -> None:
    index = np.array([2, 0, 0, 1])
    whole = judged(model, PIXELS, OBJECTIVES[kind])
    close(judged(model, PIXELS.rows(index), OBJECTIVES[kind].rows(index)), whole[index])
    assert OBJECTIVES[kind].rows(index).describe(0) == OBJECTIVES[kind].describe(2)


@pytest.mark.parametrize("batch", ["N", 1, 2])
@pytest.mark.parametrize("layer", ["conv1", "pool1", "conv2", "ip1"])
def test_the_gradient_at_a_layer(layer: str, batch: int | str) -> None:
    model = onnxray.open(models.lenet(batch), models.GREY)
    trusted(model)
    values = by_hand(torch.from_numpy(X).double().requires_grad_())
    score = score_by_hand("margin", values)
    found, slope = layer_gradient(model, PIXELS, layer, OBJECTIVES["margin"])
    close(found, values[layer].detach().numpy())
    close(slope, torch.autograd.grad(score.sum(), values[layer])[0].numpy())


SKIP = """
skip (float[N,2,6,6] x, float[N,2,6,6] other) => (float[N,2,6,6] z) {
  a = Mul (x, x)
  b = Mul (a, other)
  c = Add (b, x)
  z = Mul (c, a)
}
"""


def test_a_layer_that_others_go_around() -> None:
    graph = onnxray.open(models.parse(SKIP)).graph
    assert graph.beside("b", ["z"]) == ("x", "a")
    assert graph.beside("a", ["z"]) == ("x", "other")
    assert graph.beside("x", ["b"]) == ("other",)
    assert [node.outputs[0] for node in graph.needed_for(["z"], given=["b", "a"])] == ["c", "z"]
    with pytest.raises(NotDifferentiable, match="does not depend"):
        onnxray.open(models.lenet(), models.GREY).twin.layer_pullback({"x": X}, "ip2", ["ip1"], lambda v, p: v)


def test_the_judge_on_a_cut_from_given_values() -> None:
    model, feeds = models.parse(SKIP), {"x": models.random(1, 2, 2, 6, 6), "other": models.random(2, 2, 2, 6, 6)}
    cut = onnxray.open(model).graph.cut(["z"], given=["b", "a", "x"])
    inner = dict(zip("bax", [*models.run(model, feeds, ["b", "a"]), feeds["x"]]))
    np.testing.assert_array_equal(models.run(cut, inner)[0], models.run(model, feeds)[0])


TEXT = """
net (float[N,6] x) => (float[N,1] z) {
  h = MatMul (x, w)
  r = RECTIFIER
  z = MatMul (r, v)
}
"""
RECTIFIERS = {
    "Relu": ("Relu (h)", lambda h: (h > 0) * 1.0),
    "Clip": ("Clip (h, low, high)", lambda h: ((h > 0) & (h < 1)) * 1.0),
    "LeakyRelu": ("LeakyRelu <alpha = 0.3> (h)", lambda h: np.where(h > 0, 1, 0.3)),
    "PRelu": ("PRelu (h, slope)", lambda h: np.where(h > 0, 1, 0.3)),
}


@pytest.mark.parametrize("rule", ["plain", "guided", "deconvnet"])
@pytest.mark.parametrize("operator", RECTIFIERS)
def test_backward_rules(operator: str, rule: Any) -> None:
    """R = f'(h) g, f'(h) max(g, 0), max(g, 0) with g = v^T."""
    text, derivative = RECTIFIERS[operator]
    weights = {
        "w": models.random(1, 6, 8), "v": models.random(2, 8, 1), "low": np.float32(0), "high": np.float32(1),
        "slope": np.float32(0.3),
    }  # fmt: skip
    model = onnxray.open(models.parse(TEXT.replace("RECTIFIER", text), {n: np.asarray(a) for n, a in weights.items()}))
    x = models.random(3, 4, 6)
    rules = BackwardRules(rule, frozenset({operator}))
    found = gradient(model, model.pixels(x), Part(Selection("z")), rules)
    h, g = x @ weights["w"], weights["v"].T
    passed = {"plain": derivative(h) * g, "guided": derivative(h) * np.maximum(g, 0), "deconvnet": np.maximum(g, 0)}
    close(found, (passed[rule] + 0 * h) @ weights["w"].T)
    plain = gradient(model, model.pixels(x), Part(Selection("z")))
    close(plain, (derivative(h) * g) @ weights["w"].T)  # other cuts are as they were
    other = replace(rules, operators=frozenset({"Sigmoid"}))
    np.testing.assert_array_equal(gradient(model, model.pixels(x), Part(Selection("z")), other), plain)


def test_targets_as_text(model: onnxray.Model) -> None:
    assert read_target(model, PIXELS, None).describe(0).startswith("logit of class")
    for text in ("3", "class:3", 3):
        assert read_target(model, PIXELS, text).describe(1) == "logit of class 3"
    assert read_target(model, PIXELS, "conv2:7,2,3").describe(0) == "conv2:7,2,3"
    assert read_target(model, PIXELS, "conv2:7").describe(0) == "mean of conv2:7"
    assert read_target(model, PIXELS, "value:ip2:3").describe(0) == "ip2:3"
    text = "g (float[N,4] x) => (float[N,1] y) { y = ReduceMax <axes = [1]> (x) }"
    one = onnxray.open(models.parse(text))
    assert read_target(one, one.pixels(models.random(0, 2, 4)), "y").describe(0) == "y"
    element = read_target(model, PIXELS, "pool1[max,1,max]")
    assert isinstance(element, Element)
    values = model.values(X, ["pool1"])["pool1"]
    close(judged(model, PIXELS, element), values[:, :, 1, :].reshape(3, -1).max(1))
    like = read_target(model, PIXELS, Like(image=X[1], at="ip1"))
    assert judged(model, PIXELS, like)[1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("5", "there is no class '5'; give a number from 0 to 4"),
        ("class:tabby", "there is no class 'tabby'"),
        ("conv2", "more than one number an image; name a channel"),
        ("conv2:32", "32 channels, 0 to 31"),
        ("conv2[1]", "needs 3 numbers"),
        ("conv2[1,2,6]", "6 is beyond the axis of 6"),
        ("nothing", "has no value 'nothing'"),
        (Like(), "needs one of image and values"),
        (Like(values=np.zeros(20), at="ip1"), "zero or not finite"),
        ("like:missing.npy", "missing.npy holds no array"),
        (1.5, "the target is 1.5"),
    ],
)
def test_targets_that_are_not_there(model: onnxray.Model, target: Any, message: str) -> None:
    with pytest.raises(onnxray.errors.OnnxrayError, match=message.replace("(", r"\(")):
        read_target(model, PIXELS, target)
    with pytest.raises(InputError, match="has 20 a sample"):
        judged(model, PIXELS, read_target(model, PIXELS, Like(values=np.ones(3), at="ip1")))


def test_a_class_is_named_by_a_synonym_and_near_misses_are_labels() -> None:
    own = onnxray.open("lenet").profile
    assert own is not None
    profile = replace(own, labels=("n01443537 goldfish, Carassius auratus", "crane", "crane", *"defghij"))
    model = onnxray.open("lenet", profile)
    pixels = Pixels.blank(profile)
    for text in ("goldfish", "GOLDFISH", "class:Carassius auratus", "'n01443537'"):
        found = read_target(model, pixels, text)
        assert isinstance(found, ClassScore)
        assert found.classes.tolist() == [0]
    with pytest.raises(InputError, match=r"the classes 1, 2 are all labelled 'Crane'"):
        read_target(model, pixels, "Crane")
    with pytest.raises(UnknownValue, match=r"did you mean the class 'goldfish'\?"):
        read_target(model, pixels, "goldfisch")
    with pytest.raises(InputError, match=r"no class 'goldfisch'; did you mean the class 'goldfish'\?"):
        read_target(model, pixels, "class:goldfisch")
    with pytest.raises(UnknownValue) as caught:
        read_target(model, pixels, "value:goldfish")
    assert "class" not in str(caught.value)
