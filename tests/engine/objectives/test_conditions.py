"""When an aim is reached: each number is the one that ONNX Runtime gives, and the comparison numpy's."""

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError, UnknownValue
from onnxray.graph.outputs.stated import StatedOutput
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile
from onnxray.objectives.conditions import box_gone, is_comparison, read_condition
from support import models
from support.detectors import DETECTORS, detector

PROFILE = Profile(name="unit", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0,) * 3, std=(1,) * 3, size=(8, 8))
X = np.random.default_rng(0).uniform(0, 255, (2, 3, 8, 8)).astype(np.float32)
ROWS = np.arange(2)
VECTOR = (
    "g (float[N,3,8,8] x) => (float[N,{width}] y) {{ f = Flatten (x) h = MatMul (f, w) r = Relu (h) y = Gemm (r, v) }}"
)


def network(width: int, output: str) -> Any:
    text = VECTOR.format(width=width)
    weights = {"w": models.random(0, 192, 16), "v": models.random(1, 16, width)}
    return onnxray.open(models.parse(text, weights).SerializeToString(), PROFILE, output=output)


def numbers(proto: Any, x: Any) -> Any:
    return models.run(proto, {"x": PROFILE.encode(x)}, ["y"])[0].astype(np.float64)


@pytest.mark.parametrize("text", ["output > 3", "output<3", "output <= -1e2", "y[0] >= 0.5", "value:y >.5"])
def test_a_target_is_compared_with_a_number(text: str) -> None:
    model = network(1, "y=regression")
    condition = read_condition(model, Pixels.of(X), text)
    found = condition.scores(model, Pixels.of(X), ROWS)
    y = model.values(X, ["y"])["y"][:, 0]
    np.testing.assert_allclose(found, y, rtol=1e-5)
    right = eval(text.replace("output", "y").replace("value:", "").replace("y[0]", "y"), {"y": found})
    np.testing.assert_array_equal(condition.met(found), right)
    assert not condition.met(np.array([np.nan])).any()


@pytest.mark.parametrize("at", ["", "(y)", "(h)"])
def test_distance_and_cosine_are_of_what_a_value_was(at: str) -> None:
    model = network(6, "y=embedding")
    moved = X[::-1] * 0.5
    name = at.strip("()") or "y"
    before, after = (model.values(x, [name])[name].astype(np.float64) for x in (X, moved))
    distance = read_condition(model, Pixels.of(X), f"distance{at} > 0.5").scores(model, Pixels.of(moved), ROWS)
    np.testing.assert_allclose(distance, np.linalg.norm(after - before, axis=1), rtol=1e-5)
    cosine = read_condition(model, Pixels.of(X), f"cosine{at} < 0.5").scores(model, Pixels.of(moved), ROWS)
    sizes = np.linalg.norm(after, axis=1) * np.linalg.norm(before, axis=1)
    np.testing.assert_allclose(cosine, (after * before).sum(1) / sizes, rtol=1e-5)
    swapped = read_condition(model, Pixels.of(X), f"distance{at} > 0.5").scores(model, Pixels.of(X[::-1]), ROWS[::-1])
    np.testing.assert_allclose(swapped, 0, atol=1e-3)


@pytest.mark.parametrize("kind", [kind for kind in DETECTORS if kind != "bare scores beside boxes"])
def test_a_box_is_gone_below_the_detectors_own_threshold(kind: str) -> None:
    model = onnxray.open(detector(kind), PROFILE)
    for k in range(2):
        one = Pixels.of(X[k : k + 1])
        listed = model.predict(one).samples[0].scores
        if listed is None or not len(listed):
            continue
        text = box_gone(model, one)
        assert text == "boxes[0].score < 0.5"
        condition = read_condition(model, one, text)
        (score,) = condition.scores(model, one, np.zeros(1, np.int64))
        assert score == pytest.approx(listed[0], rel=1e-5)
        assert not condition.met(np.array([score]))[0]


def test_where_rows_are_chosen_anew_the_box_that_is_listed_then_counts() -> None:
    kind = next(kind for kind, (text, _, _) in DETECTORS.items() if "NonMaxSuppression" in text)
    model = onnxray.open(detector(kind), PROFILE)
    one, black = Pixels.of(X[:1]), Pixels.of(np.zeros_like(X[:1]))
    condition = read_condition(model, one, "boxes[0].score < 0.4")
    listed = model.predict(black).samples[0].scores
    (score,) = condition.scores(model, black, np.zeros(1, np.int64))
    assert score == pytest.approx(listed[0] if len(listed) else 0.0)
    assert condition.describe(0) == "boxes[0].score"


def test_the_threshold_that_is_stated_counts_and_scores_without_one_are_asked_for() -> None:
    stated = StatedOutput(threshold=0.3)
    model = onnxray.open(detector("sigmoids beside boxes"), PROFILE, output=stated)
    assert box_gone(model, Pixels.of(X[:1])) == "boxes[0].score < 0.3"
    bare = onnxray.open(detector("bare scores beside boxes"), PROFILE)
    with pytest.raises(InputError, match="state when it is gone: --until 'boxes"):
        box_gone(bare, Pixels.of(X[:1]))
    assert box_gone(network(6, "y=embedding"), Pixels.of(X)) is None


def test_other_texts_are_none() -> None:
    assert [is_comparison(text) for text in ("auto", "linf", "output > 3", "a <= b", "> 3", "output >")] == [
        False, False, True, True, False, False,
    ]  # fmt: skip
    model = network(6, "y=embedding")
    for text, kind, match in [
        ("distance > much", InputError, "the condition is 'distance > much'; TARGET < NUMBER"),
        ("distance > inf", InputError, "TARGET < NUMBER"),
        ("distance(nothing) > 1", UnknownValue, "nothing"),
        ("boxes[0].score < 1", InputError, "it has no scores of boxes"),
        ("nowhere > 1", UnknownValue, "nowhere"),
    ]:
        with pytest.raises(kind, match=match):
            read_condition(model, Pixels.of(X), text)
    with pytest.raises(InputError, match="is zero throughout, so it has no cosine"):
        read_condition(model, Pixels.of(np.zeros_like(X)), "cosine(r) < 1")
