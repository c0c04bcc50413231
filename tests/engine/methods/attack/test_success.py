"""What an attack is asked, for every kind of output: met as ONNX Runtime says, the margin below 0 just then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.graph.outputs.stated import StatedOutput
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile
from onnxray.methods.array_variable import variable_of
from onnxray.methods.attack.gradient.pgd import PGD
from onnxray.methods.attack.success import Criterion, criterion_of
from onnxray.objectives.gradients import judged
from support import models
from support.detectors import detector

PROFILE = Profile(name="unit", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0,) * 3, std=(1,) * 3, size=(8, 8))
X = np.random.default_rng(0).integers(40, 215, (3, 3, 8, 8)).astype(np.float32)
ROWS = np.arange(3)
TEXT = "g (float[N,3,8,8] x) => (float[N,{width}] y) {{ f = Flatten (x) h = MatMul (f, w) r = Relu (h) y = Gemm (r, v) {end}}}"


def network(width: int, kind: str, end: str = "") -> Any:
    weights = {"w": models.random(0, 192, 16), "v": models.random(1, 16, width)}
    text = TEXT.format(width=width, end=end)
    return onnxray.open(models.parse(text, weights).SerializeToString(), PROFILE, output=f"y={kind}")


def criterion(model: Any, goal: Any, **more: Any) -> Criterion:
    return criterion_of(variable_of(model, model.pixels(X), None, [model.head.name]), goal, **more)[0]


def agrees(model: Any, found: Criterion, moved: Any) -> Any:
    """met, after holding it against the margin."""
    met = found.met(model, Pixels.of(moved), ROWS)
    margin = judged(model, Pixels.of(moved), found.margin(ROWS))
    np.testing.assert_array_equal(met, margin < 0)
    return met


def test_a_class_is_left_or_reached() -> None:
    model = network(5, "logits")
    z = model.values(X, ["y"])["y"].astype(np.float64)
    own = z.argmax(1)
    left = criterion(model, None)
    margin = judged(model, Pixels.of(X), left.margin(ROWS))
    best = np.where(np.arange(5) == own[:, None], -np.inf, z).max(1)
    np.testing.assert_allclose(margin, z[ROWS, own] - best, rtol=1e-4)
    assert not agrees(model, left, X).any()
    goal = [int(k) for k in (own + 1) % 5]
    to = criterion(model, goal)
    assert not agrees(model, to, X).any()
    moved = np.array([item.images["image"] for item in PGD(eps=200.0)(model, X, goal).items], np.float32)
    reached = agrees(model, to, moved)
    assert reached.any()
    np.testing.assert_array_equal(reached, model.predict(moved).classes == goal)


def test_the_true_labels_are_left_in_place_of_the_files_own() -> None:
    model = network(5, "logits")
    own = model.predict(X).classes
    labels = np.array([own[0], (own[1] + 1) % 5, own[2]])
    found = criterion(model, None, labels=labels)
    np.testing.assert_array_equal(agrees(model, found, X), [False, True, False])


@pytest.mark.parametrize("sign", ["<", ">"])
def test_a_regressors_number_is_brought_over_a_bound(sign: str) -> None:
    model = network(1, "regression")
    y = model.values(X, ["y"])["y"][:, 0]
    bound = y.min() - 1 if sign == "<" else y.max() + 1
    result = PGD(eps=40.0, loss="margin")(model, X, f"output {sign} {bound}")
    for item in result.items:
        now = model.values(item.images["image"][None].astype(np.float32), ["y"])["y"][0, 0]
        assert item.success == (now < bound if sign == "<" else now > bound)
        assert item.judged.label is None
    assert any(item.success for item in result.items)


def test_an_embedding_leaves_its_place_and_goes_to_anothers() -> None:
    model = network(6, "embedding")
    before = model.values(X, ["y"])["y"].astype(np.float64)

    def cosine(image: Any, reference: Any) -> float:
        now = model.values(image[None].astype(np.float32), ["y"])["y"][0].astype(np.float64)
        return float(now @ reference / np.linalg.norm(now) / np.linalg.norm(reference))

    pushed = PGD(eps=120.0)(model, X)
    for item, own in zip(pushed.items, before):
        assert item.goal == "cosine < 0.3"
        assert item.success == (cosine(item.images["image"], own) < 0.3)
    assert any(item.success for item in pushed.items)


@pytest.mark.parametrize("kind", ["sigmoids beside boxes", "yolo, places first with objectness", "yolo, numbers first"])
def test_a_detectors_best_box_goes(kind: str) -> None:
    model = onnxray.open(detector(kind), PROFILE, output=StatedOutput(threshold=0.1))
    found = criterion(model, None)
    assert found.describe(0) == "boxes[0].score < 0.1"
    assert not agrees(model, found, X).any()
    best = model.predict(X).samples
    for row, item in enumerate(PGD(eps=100.0)(model, X).items):
        image = item.images["image"][None].astype(np.float32)
        answer = onnxray.open(detector(kind), PROFILE, output=StatedOutput(threshold=1e-9)).predict(image).samples[0]
        score = answer.scores[np.flatnonzero(answer.rows == best[row].rows[0])[0]]
        assert item.success == (score < 0.1)


@pytest.mark.parametrize(
    ("kind", "width", "goal", "said"),
    [
        ("regression", 1, None, "nothing says what an attack shall make of it"),
        ("regression", 1, 3, "it has no classes; state a comparison"),
        ("logits", 5, "own", "already; give another --target"),
        ("logits", 5, 12, "there is no class '12'"),
        ("logits", 5, 2.5, "the target is 2.5"),
        ("logits", 5, [1, 2], "2 targets were given for 3 images"),
    ],
)
def test_what_cannot_be_asked_is_one_line(kind: str, width: int, goal: Any, said: str) -> None:
    model = network(width, kind)
    asked = int(model.predict(X).classes[0]) if goal == "own" else goal
    with pytest.raises(InputError, match=said) as error:
        criterion(model, asked)
    assert "\n" not in str(error.value)
