"""Linear models as scikit-learn's are exported, and as layers: the smallest norm restated, the judge on both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.methods.attack.exact.linear import Linear
from support import models
from support.linear import SIDE
from support.linear import Linear as Layers
from support.trees import forest

ROWS = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32) * np.array([1, 3, 0.5, 1], np.float32)
RANDOM = np.random.default_rng(2)
W, B = RANDOM.normal(size=(3, 4)), RANDOM.normal(size=3) / 4
MEAN, SCALE = np.array([0.1, -0.5, 0.2, 0.0]), np.array([1.0, 0.3, 2.0, 1.5])
ORDERS = {"linf": 1, "l2": 2, "l1": np.inf}


def file(*nodes: Any, outputs: tuple[str, ...] = ("label", "scores"), classes: int = 3) -> bytes:
    """Nodes of ai.onnx.ml from x to the outputs."""
    info = onnx.helper.make_tensor_value_info
    kinds = {"label": info("label", onnx.TensorProto.INT64, ["N"])}
    given = [kinds.get(name) or info(name, 1, ["N", classes]) for name in outputs]
    graph = onnx.helper.make_graph(list(nodes), "g", [info("x", 1, ["N", 4])], given)
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def node(operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return onnx.helper.make_node(operator, inputs, outputs, domain="ai.onnx.ml", **attributes)


def classifier(w: Any, b: Any, transform: str, source: str = "x", scores: str = "scores") -> Any:
    return node(
        "LinearClassifier", [source], ["label", scores], coefficients=w.reshape(-1).tolist(), intercepts=b.tolist(),
        classlabels_ints=list(range(len(b))), post_transform=transform, multi_class=1,
    )  # fmt: skip


def softmax_regression() -> bytes:
    return file(classifier(W, B, "SOFTMAX"))


def one_against_the_rest() -> bytes:
    """Logistic of each class, then divided by their sum, behind a StandardScaler."""
    scaler = node("Scaler", ["x"], ["s"], offset=MEAN.tolist(), scale=SCALE.tolist())
    last = node("Normalizer", ["raw"], ["scores"], norm="L1")
    return file(scaler, classifier(W, B, "LOGISTIC", "s", "raw"), last)


def logistic_regression() -> bytes:
    w, b = np.stack([-W[0], W[0]]), np.array([-B[0], B[0]])
    return file(classifier(w, b, "LOGISTIC"), classes=2)


def machine(**platt: Any) -> bytes:
    """SVC with a linear kernel: three vectors."""
    return file(
        node(
            "SVMClassifier", ["x"], ["label", "scores"], kernel_type="LINEAR", vectors_per_class=[1, 2],
            support_vectors=W.reshape(-1).tolist(), coefficients=[1.0, -0.7, -0.3], rho=[0.2],
            classlabels_ints=[0, 1], kernel_params=[0.0, 0.0, 3.0], **platt,
        ),
        classes=2,
    )  # fmt: skip


MACHINE = (np.array([1.0, -0.7, -0.3]) @ W.astype(np.float32), 0.2)


def pair(w: Any, b: float) -> tuple[Any, Any]:
    return np.stack([w, -w]), np.array([b, -b])


LAYERS = "g (float[N,4] x) => (float[N,3] y) { c = Sub (x, m) s = Div (c, d) h = MatMul (s, w) z = Add (h, b) y = Softmax (z) }"
CASES: dict[str, tuple[bytes, Any, Any]] = {
    "softmax regression": (softmax_regression(), W, B),
    "one against the rest": (one_against_the_rest(), W * SCALE, B - (W * SCALE) @ MEAN),
    "logistic regression": (logistic_regression(), *pair(-W[0], -B[0])),
    "LinearSVC": (file(classifier(W, B, "NONE")), W, B),
    "SVC": (machine(), *pair(-MACHINE[0], -MACHINE[1])),
    "layers": (
        bytes(models.parse(LAYERS, {
            "m": MEAN.astype(np.float32), "d": (1 / SCALE).astype(np.float32), "w": W.T.astype(np.float32).copy(),
            "b": B.astype(np.float32),
        }).SerializeToString()), W * SCALE, B - (W * SCALE) @ MEAN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("case", CASES)
def test_the_norm_is_the_closed_form_and_the_judge_is_left_just_there(case: str, norm: Any) -> None:
    data, w, b = CASES[case]
    model = onnxray.open(data)
    own = model.predict(ROWS).classes
    items = Linear(norm=norm)(model, ROWS).items
    assert len(set(own)) > 1
    for row, y, item in zip(ROWS.astype(float), own, items):
        z = w @ row + b
        assert z.argmax() == y
        others = [k for k in range(len(z)) if k != y]
        least = min((z[y] - z[k]) / np.linalg.norm(w[y] - w[k], ORDERS[norm]) for k in others)
        unit = item.moved["x"]["unit"]
        assert item.numbers_["exact"] * unit == pytest.approx(least, rel=1e-3, abs=1e-5)
        assert item.success
        assert item.norms[norm] * unit == pytest.approx(least, rel=2e-3, abs=1e-4)
        change = item.arrays_["perturbation x"]
        short_of = (row + 0.99 * change).astype(np.float32)
        if least > 0.01:  # nearer, float32 is too coarse
            assert model.predict(short_of[None]).classes[0] == y
        assert item.queries["forward"] == 0


def test_pictures_stay_within_their_bounds() -> None:
    """Pixels at 0 and 255 cannot go further, so that more of the others have to."""
    layers = Layers.random(4, features=6, classes=3)
    image = np.random.default_rng(0).choice([0, 128, 255], (1, 1, SIDE, SIDE)).astype(np.float32)
    own = layers.class_of(image[0])
    w = layers.v.astype(float) @ layers.w
    z = w @ image.reshape(-1).astype(float) + layers.b
    for norm, order in ORDERS.items():
        (item,) = Linear(norm=norm, float_=True)(layers.open(), image).items  # type: ignore[arg-type]
        free = min((z[own] - z[k]) / np.linalg.norm(w[own] - w[k], order) for k in range(3) if k != own)
        assert item.success
        assert item.numbers_["exact"] >= free * 0.9999
        assert item.unrounded[norm] == pytest.approx(item.numbers_["exact"], rel=1e-2)
        if norm == "linf":
            assert item.norms[norm] <= np.ceil(item.numbers_["exact"]) + 1


def test_either_of_two_classes_may_be_wanted_and_one_of_more_may_not() -> None:
    model = onnxray.open(CASES["logistic regression"][0])
    goal = [int(1 - y) for y in model.predict(ROWS).classes]
    assert all(item.success for item in Linear()(model, ROWS, goal).items)
    three = onnxray.open(CASES["LinearSVC"][0])
    goal = [int((y + 1) % 3) for y in three.predict(ROWS).classes]
    with pytest.raises(InputError, match="a class is wanted among 3"):
        Linear()(three, ROWS, goal)


def test_other_files_are_refused_by_the_node_that_is_not_linear() -> None:
    with pytest.raises(InputError, match=r"stands TreeEnsembleClassifier"):
        Linear()(onnxray.open(forest()), np.zeros((1, 6), np.float32))
    rectified = "g (float[N,4] x) => (float[N,3] y) { h = Relu (x) y = MatMul (h, w) }"
    data = models.parse(rectified, {"w": W.T.astype(np.float32).copy()}).SerializeToString()
    with pytest.raises(InputError, match=r"between the input and 'y' stands Relu \(.*\); take ddn"):
        Linear()(onnxray.open(data), ROWS)
    with pytest.raises(InputError, match="stands SVMClassifier"):  # Platt's probabilities
        Linear()(onnxray.open(machine(prob_a=[-1.7], prob_b=[0.4])), ROWS)
    squared = "g (float[N,4] x) => (float[N,3] y) { h = Mul (x, x) y = MatMul (h, w) }"
    data = models.parse(squared, {"w": W.T.astype(np.float32).copy()}).SerializeToString()
    with pytest.raises(InputError, match="stands Mul"):
        Linear()(onnxray.open(data), ROWS)
