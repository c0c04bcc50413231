"""What a class's probability is, at every end that a classifier may have: the number that ONNX Runtime's output holds."""

import re
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import InputError, NotAClassifier, NotDifferentiable
from onnxray.graph.classifier.scores import per_class
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.perturbation.copies import Copies
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from onnxray.objectives.class_score import Score
from onnxray.objectives.gradients import gradient, judged
from onnxray.objectives.objective import Objective
from onnxray.objectives.targets import describe_scores, read_target
from support import models
from support.trusted import trusted

WEIGHTS = {
    "w": models.random(0, 12, 6, scale=0.6), "b": models.random(1, 6), "scale": np.array(0.05, np.float32),
    "zero": np.array(128, np.uint8), "small": np.array(1 / 256, np.float32), "none": np.array(0, np.uint8),
    "mix": np.array([[0.7, 0.3], [0.2, 0.8]], np.float32), "fine": np.array(0.02, np.float32),
    "far": np.array(255, np.uint8),
}  # fmt: skip
HEAD = """
<ir_version: 8, opset_import: ["": {opset}, "com.microsoft": 1]>
g (float[N,3,2,2] x) => ({kind}[{shape}] y) {{ f = Flatten (x) z = Gemm (f, w, b) {end} }}
"""
QDQ = "q = QuantizeLinear (z, scale, zero) d = DequantizeLinear (q, scale, zero)"
# (nodes after the linear layer, type and shape of the output, opset)
SOFTMAX: dict[str, tuple[str, str, str, int]] = {
    "softmax": ("y = Softmax (z)", "float", "N,6", 17),
    "log-softmax": ("y = LogSoftmax (z)", "float", "N,6", 17),
    "nothing": ("y = Identity (z)", "float", "N,6", 17),
    "channels last": (
        "s = Constant <value_ints = [-1, 1, 1, 6]> () r = Reshape (z, s) p = Softmax <axis = -1> (r) y = Flatten (p)",
        "float", "N,6", 17,
    ),
    "channels first": (
        "s = Constant <value_ints = [-1, 6, 1, 1]> () r = Reshape (z, s) y = Softmax <axis = 1> (r)",
        "float", "N,6,1,1", 17,
    ),
    "flattening": (
        "s = Constant <value_ints = [-1, 3, 2]> () r = Reshape (z, s) p = Softmax <axis = 1> (r) y = Flatten (p)",
        "float", "N,6", 12,
    ),
    "two groups": (
        "s = Constant <value_ints = [-1, 2, 3]> () r = Reshape (z, s) p = Softmax <axis = 2> (r) y = Flatten (p)",
        "float", "N,6", 17,
    ),
    "interleaved groups": (
        "s = Constant <value_ints = [-1, 3, 2]> () r = Reshape (z, s) p = Softmax <axis = 1> (r) y = Flatten (p)",
        "float", "N,6", 17,
    ),
    "quantised scores": (f"{QDQ} y = Softmax (d)", "float", "N,6", 17),
    "quantised probabilities": (
        f"{QDQ} p = Softmax (d) r = QuantizeLinear (p, small, none) y = DequantizeLinear (r, small, none)",
        "float", "N,6", 17,
    ),
    "quantised softmax": (
        "q = QuantizeLinear (z, scale, zero) "
        "p = com.microsoft.QLinearSoftmax <axis = 1, opset = 13> (q, scale, zero, small, none) "
        "y = DequantizeLinear (p, small, none)", "float", "N,6", 17,
    ),
    "scores of integers": (
        "q = QuantizeLinear (z, scale, zero) i = Identity (q) "
        "p = com.microsoft.QLinearSoftmax <axis = 1, opset = 13> (i, scale, zero, small, none) "
        "y = DequantizeLinear (p, small, none)", "float", "N,6", 17,
    ),
    "integers of probabilities": ("p = Softmax (z) y = QuantizeLinear (p, small, none)", "uint8", "N,6", 17),
    "integers of log-probabilities": ("p = LogSoftmax (z) y = QuantizeLinear (p, fine, far)", "uint8", "N,6", 17),
    "integers of scores": ("y = QuantizeLinear (z, scale, zero)", "uint8", "N,6", 17),
}  # fmt: skip
OTHERS: dict[str, tuple[str, str, str, int]] = {
    "sigmoid": ("y = Sigmoid (z)", "float", "N,6", 17),
    "sigmoid of pictures": (
        "s = Constant <value_ints = [-1, 6, 1, 1]> () r = Reshape (z, s) y = Sigmoid (r)", "float", "N,6,1,1", 17,
    ),
    "quantised sigmoid": (
        f"{QDQ} p = Sigmoid (d) r = QuantizeLinear (p, small, none) y = DequantizeLinear (r, small, none)",
        "float", "N,6", 17,
    ),
    "shares": (
        "a = Exp (z) axes = Constant <value_ints = [1]> () n = ReduceSum (a, axes) y = Div (a, n)", "float", "N,6", 17,
    ),
    "mean of two": (
        "a = Softmax (z) m = Neg (z) c = Softmax (m) s = Add (a, c) h = Constant <value_float = 0.5> () y = Mul (s, h)",
        "float", "N,6", 17,
    ),
    "integers of sigmoids": ("p = Sigmoid (z) y = QuantizeLinear (p, small, none)", "uint8", "N,6", 17),
}  # fmt: skip
ENDS = SOFTMAX | OTHERS
SINGLE = tuple(name for name in ENDS if "groups" not in name)
PROFILE = Profile(
    name="small", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.5,) * 3, std=(0.5,) * 3, size=(2, 2)
)
X = np.random.default_rng(4).uniform(0, 255, (3, 3, 2, 2)).astype(np.float32)
PIXELS = Pixels(X, (None,) * 3)
CLASSES = (4, 1)


def proto_of(name: str) -> onnx.ModelProto:
    end, kind, shape, opset = ENDS[name]
    proto = onnx.parser.parse_model(HEAD.format(end=end, kind=kind, shape=shape, opset=opset))
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, key) for key, array in WEIGHTS.items())
    return proto


def opened(name: str) -> onnxray.Model:
    return onnxray.open(proto_of(name), PROFILE)


def outputs(name: str, x: models.Array = X) -> models.Array:
    """The output as real numbers, (N, 6)."""
    given = models.run(proto_of(name), {"x": PROFILE.encode(x)}, ["y"])[0].astype(np.float64).reshape(len(x), -1)
    if name == "integers of scores":
        return (given - 128) * 0.05
    if name == "integers of log-probabilities":
        return (given - 255) * 0.02
    return given / 256 if name.startswith("integers of") else given


def probabilities(name: str, x: models.Array = X) -> models.Array:
    """What ONNX Runtime's own output says, (N, 6)."""
    given = outputs(name, x)
    if "log" in name:
        return np.exp(given)
    if name in {"nothing", "integers of scores"}:
        return np.exp(given) / np.exp(given).sum(1, keepdims=True)
    return given


def explained(model: onnxray.Model, kind: Score, target: int = 4) -> Objective:
    return read_target(model, PIXELS, target, kind)


@pytest.mark.parametrize("target", CLASSES)
@pytest.mark.parametrize("name", ENDS)
def test_a_probability_is_the_judges_own(name: str, target: int) -> None:
    model, expected = opened(name), probabilities(name)
    np.testing.assert_allclose(model.predict(X).probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(
        judged(model, PIXELS, explained(model, "probability", target)), expected[:, target], atol=1e-6
    )
    logarithm = explained(model, "log-probability", target)
    if (expected[:, target] == 0).any():
        with pytest.raises(InputError, match=f"log-probability of class {target} is minus infinity: its probability"):
            judged(model, PIXELS, logarithm)
    else:
        np.testing.assert_allclose(np.exp(judged(model, PIXELS, logarithm)), expected[:, target], atol=1e-6)


def scores_of(name: str) -> models.Array:
    """What "logit" means, (N, 6): what the softmax or sigmoid is given, or the output where none closes."""
    if name in {"shares", "mean of two", "integers of scores", "nothing"}:
        return outputs(name)
    at = "d" if QDQ in ENDS[name][0] else "z"
    found = models.run(proto_of(name), {"x": PROFILE.encode(X)}, [at])[0].astype(np.float64)
    return np.rint(found / 0.05) * 0.05 if name == "scores of integers" else found


@pytest.mark.parametrize("name", ENDS)
def test_logit_and_margin(name: str) -> None:
    model, z = opened(name), scores_of(name)
    step = 0.025 + 1e-6 if name == "integers of scores" else 1e-5  # the real scores stand before the rounding
    np.testing.assert_allclose(judged(model, PIXELS, explained(model, "logit")), z[:, 4], atol=step)
    np.testing.assert_allclose(model.predict(X, scores=True).scores, z, atol=step)
    rivals = {"two groups": [3, 5], "interleaved groups": [0, 2]}.get(name, [0, 1, 2, 3, 5])
    margin = z[:, 4] - z[:, rivals].max(1)
    np.testing.assert_allclose(judged(model, PIXELS, explained(model, "margin")), margin, atol=2 * step)


REAL = tuple(name for name in ENDS if not name.startswith("integers of") and name != "scores of integers")


@pytest.mark.parametrize("kind", ["probability", "log-probability", "margin", "logit"])
@pytest.mark.parametrize("name", [name for name in REAL if "quantised" not in name])
def test_gradients_are_the_slope_of_the_judged_score(name: str, kind: Score) -> None:
    """By central differences of the judge's own numbers."""
    model = opened(name)
    trusted(model)
    objective = explained(model, kind)
    found = gradient(model, PIXELS, objective).reshape(3, -1)
    expected, step = np.empty((3, 12)), 1.0
    for k in range(12):
        moved = np.zeros(12, np.float32)
        moved[k] = step
        near = [judged(model, PIXELS.replaced(X + s * moved.reshape(3, 2, 2)), objective) for s in (1, -1)]
        expected[:, k] = (near[0] - near[1]) / (2 * step)
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max() + 1e-6)


@pytest.mark.parametrize("name", ["quantised probabilities", "quantised softmax", "quantised sigmoid"])
def test_gradients_go_straight_through_quantised_probabilities(name: str) -> None:
    model = opened(name)
    found = gradient(model, PIXELS, explained(model, "probability"))
    plain = opened("sigmoid" if "sigmoid" in name else "softmax")
    expected = gradient(plain, PIXELS, explained(plain, "probability"))
    np.testing.assert_allclose(found, expected, atol=0.06 * np.abs(expected).max())
    assert np.abs(expected).max() > 0


@pytest.mark.parametrize("name", ["integers of probabilities", "integers of sigmoids"])
def test_whole_numbers_have_no_gradient_but_their_scores_do(name: str) -> None:
    model = opened(name)
    with pytest.raises(NotDifferentiable, match="'y' holds uint8; gradients exist for real numbers alone"):
        Gradient(score="probability")(model, X, 4)
    plain = opened("sigmoid" if "sigmoid" in name else "softmax")
    np.testing.assert_allclose(Gradient()(model, X, 4).items[1].heat, Gradient()(plain, X, 4).items[1].heat, rtol=1e-4)


@pytest.mark.parametrize("kind", ["probability", "logit"])
@pytest.mark.parametrize("name", ENDS)
def test_copies_are_read_as_the_judge_reads_them(name: str, kind: Score) -> None:
    model = opened(name)
    item = Occlusion(size=1, stride=1, fill="black", score=kind)(model, X[:1], 4).items[0]
    hidden = np.repeat(X[:1], 4, axis=0)
    for k in range(4):
        hidden[k, :, k // 2, k % 2] = 0
    drops = probabilities(name)[0, 4] - probabilities(name, hidden)[:, 4]
    np.testing.assert_allclose(item.more["probability_drop"].ravel(), drops, atol=1e-6)
    if kind == "probability":
        np.testing.assert_allclose(item.heat.ravel(), drops, atol=1e-6)
        assert item.target_score == pytest.approx(probabilities(name)[0, 4], abs=1e-6)
    np.testing.assert_array_equal(item.more["classes"].ravel(), probabilities(name, hidden).argmax(1))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("softmax", "the output 'y' is a softmax; the target is read at the logits 'z'"),
        ("sigmoid", "the output 'y' is a sigmoid, each class by itself; the target is read at the logits 'z'"),
        ("shares", "the output 'y' holds probabilities already, and no softmax closes it: logit means them"),
        ("quantised probabilities", "probabilities are read at 'y', as it rounds them"),
    ],
)
def test_what_is_said(name: str, said: str) -> None:
    model = opened(name)
    kind: Score = "probability" if "quantised" in name else "logit"
    assert any(said in note for note in describe_scores(model, explained(model, kind)))
    assert said in " ".join(Gradient(score=kind)(model, X, 4).provenance.notes)


def test_numbers_that_add_up_to_one_by_chance_are_no_probabilities() -> None:
    text = "g (float[N,3,2,2] x) => (float[N,2] y) { f = Flatten (x) z = MatMul (f, w) y = Relu (z) }"
    model = onnxray.open(models.parse(text, {"w": np.eye(12, 2, dtype=np.float32)}), PROFILE)
    x = np.full((1, 3, 2, 2), 255 * 0.75, np.float32)
    np.testing.assert_allclose(model.predict(x).probabilities, 0.5)


def test_a_softmax_over_samples_is_refused() -> None:
    text = "g (float[N,3,2,2] x) => (float[N,6] y) { f = Flatten (x) z = Gemm (f, w, b) y = Softmax <axis = 0> (z) }"
    model = onnxray.open(models.parse(text, {k: WEIGHTS[k] for k in "wb"}), PROFILE)
    with pytest.raises(InputError, match="the softmax of 'z' runs over its axis 0, the samples"):
        judged(model, PIXELS, explained(model, "probability"))


def test_whole_scores_whose_step_is_not_known_have_no_probability() -> None:
    text = "g (float[N,3,2,2] x) => (int32[N,6] y) { f = Flatten (x) z = Gemm (f, w, b) y = Cast <to = 6> (z) }"
    model = onnxray.open(models.parse(text, {k: WEIGHTS[k] for k in "wb"}), PROFILE)
    assert Copies(model, PIXELS, explained(model, "logit"), 64).batch
    with pytest.raises(InputError, match="'y' holds whole numbers of unknown step, and no probability"):
        judged(model, PIXELS, explained(model, "probability"))


def test_a_profiles_other_logits_leave_the_probability_as_it_is() -> None:
    from dataclasses import replace

    proto: Any = proto_of("two groups")
    stated = onnxray.open(proto_of("softmax"), replace(PROFILE, logits="z"))
    np.testing.assert_allclose(
        judged(stated, PIXELS, explained(stated, "probability")), outputs("softmax")[:, 4], atol=1e-6
    )
    text = "g (float[N,3,2,2] x) => (float[N,6] y) { f = Flatten (x) a = MatMul (f, w) z = Add (a, b) y = Softmax (z) }"
    proto = models.parse(text, {k: WEIGHTS[k] for k in "wb"})
    other = onnxray.open(proto, replace(PROFILE, logits="a"))
    expected = models.run(proto, {"x": PROFILE.encode(X)}, ["a", "y"])
    np.testing.assert_allclose(judged(other, PIXELS, explained(other, "logit")), expected[0][:, 4], rtol=1e-5)
    np.testing.assert_allclose(judged(other, PIXELS, explained(other, "probability")), expected[1][:, 4], atol=1e-6)


@pytest.mark.parametrize("kind", ["logit", "margin", "probability", "log-probability"])
@pytest.mark.parametrize("target", [0, 1])
def test_one_sigmoid_is_two_classes(kind: Score, target: int) -> None:
    """p and 1 - p; z and -z; z - (-z)."""
    text = "g (float[N,3,2,2] x) => (float[N,1] y) { f = Flatten (x) z = MatMul (f, w) y = Sigmoid (z) }"
    proto = models.parse(text, {"w": models.random(0, 12, 1)})
    model = onnxray.open(proto, PROFILE)
    y, z = (a[:, 0].astype(np.float64) for a in models.run(proto, {"x": PROFILE.encode(X)}, ["y", "z"]))
    sign, p = (1, y) if target else (-1, 1 - y)
    expected = {"logit": sign * z, "margin": 2 * sign * z, "probability": p, "log-probability": np.log(p)}[kind]
    objective = explained(model, kind, target)
    np.testing.assert_allclose(judged(model, PIXELS, objective), expected, atol=1e-5)
    near = np.concatenate([X, X])
    near[:3, 0, 0, 0] += 1
    near[3:, 0, 0, 0] -= 1
    moved = judged(model, Pixels(near, (None,) * 6), objective.rows(np.array([0, 1, 2, 0, 1, 2])))
    slope = gradient(model, PIXELS, objective)[:, 0, 0, 0]
    np.testing.assert_allclose(slope, (moved[:3] - moved[3:]) / 2, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 1, 1), (2, 5, 1), (2, 1, 1, 5), (2, 1, 5)])
def test_one_number_a_class_is_one_score_a_class(shape: tuple[int, ...]) -> None:
    graph = onnxray.open(models.lenet()).graph
    raw = models.random(0, *shape)
    np.testing.assert_array_equal(per_class(graph, "prob", raw), raw.reshape(2, 5).astype(np.float64))


@pytest.mark.parametrize("shape", [(), (5,), (2, 5, 3), (2, 5, 1, 2), (2, 0), (0, 5), (0,), (2, 0, 5)])
def test_other_shapes_are_no_classifiers(shape: tuple[int, ...]) -> None:
    graph = onnxray.open(models.lenet()).graph
    with pytest.raises(
        NotAClassifier, match=re.escape(f"output 'prob' has the shape {list(shape)}, not one score a class")
    ):
        per_class(graph, "prob", np.zeros(shape, np.float32))
