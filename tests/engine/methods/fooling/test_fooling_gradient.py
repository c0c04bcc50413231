"""Fooling images by gradients: the step restated on a model that is linear in its pixels; the bundled LeNet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.methods.fooling.fooling_gradient import FoolingGradient
from support.linear import SIDE, Linear


@pytest.fixture(scope="module")
def lenet() -> Any:
    return onnxray.open("lenet")


def by_hand(line: Linear, start: Any, wanted: int, steps: int, rate: float, decay: float) -> tuple[Any, list[float]]:
    """x after some steps, and log p at each."""
    weights, x, said = line.v.astype(float) @ line.w, start.astype(float).ravel(), []
    for _ in range(steps):
        z = weights @ x + line.b
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        said.append(float(np.log(p[wanted])))
        g = weights[wanted] - p @ weights
        x = x + rate * g / np.abs(g).mean()
        x = np.clip((1 - decay) * x, 0, 255)  # the mean colour of the profile is black
    return x.reshape(1, SIDE, SIDE), said


@pytest.mark.parametrize(("decay", "start"), [(0.0, "uniform"), (0.02, "uniform"), (0.0, "black")])
def test_steps_are_those_of_the_formula(decay: float, start: Any) -> None:
    line = Linear(*(array * scale for array, scale in zip(vars(Linear.random(2)).values(), (0.01, 0.03, 0.0))))
    method = FoolingGradient(start=start, steps=7, check=3, rate=2.5, decay=decay, confidence=1.0)
    item = method(line.open(), goal=2, seed=5).items[0]
    begun = np.zeros((1, SIDE, SIDE))
    if start == "uniform":
        begun = np.random.default_rng([5, 0]).integers(0, 256, (1, SIDE, SIDE))
    x, said = by_hand(line, begun, 2, 7, 2.5, decay)
    assert item.trace["objective"] == pytest.approx(said, rel=1e-3, abs=1e-5)
    assert np.abs(item.images["image"] - x).max() <= 0.6
    assert item.numbers_["l2_from_start"] == pytest.approx(np.linalg.norm(x - begun), rel=1e-3)
    assert item.numbers_["queries"] == {"judge": 4, "forward": 7, "backward": 10}


@pytest.mark.parametrize("start", ["mean", "uniform", "black"])
def test_every_digit_is_reached_and_the_judge_says_so(lenet: Any, start: Any) -> None:
    result = FoolingGradient(start=start, rate=4.0)(lenet, goal=list(range(10)))
    said = lenet.predict_classes(np.stack([item.images["image"] for item in result.items]))
    assert said.classes.tolist() == list(range(10))
    for digit, item in enumerate(result.items):
        assert item.numbers_["success"]
        assert item.numbers_["confidence"] == pytest.approx(said.probabilities[digit, digit], abs=1e-6)
        assert said.probabilities[digit, digit] >= 0.99
        assert item.steps < 200


def test_a_picture_does_not_depend_on_those_beside_it(lenet: Any) -> None:
    found = [FoolingGradient(rate=4.0, samples=2, together=n)(lenet, goal=(3, 8)).items for n in (1, 3, 16)]
    for others in found[1:]:
        for item, other in zip(found[0], others):
            apart = np.abs(item.images["image"].astype(int) - other.images["image"])
            assert (apart > 1).mean() <= 0.01
    first, second = (item.images["image"] for item in found[0][:2])
    assert not np.array_equal(first, second)


def test_without_a_target_classes_are_drawn(lenet: Any) -> None:
    result = FoolingGradient(rate=4.0, samples=6)(lenet, seed=1)
    assert [int(item.target) for item in result.items] == np.random.default_rng(1).integers(0, 10, 6).tolist()
    assert "no target was stated: 6 of 10 classes, drawn at random" in result.provenance.notes


def test_the_cap_is_kept_and_what_was_not_reached_is_said(lenet: Any) -> None:
    for item in FoolingGradient(rate=0.01, queries=20)(lenet, goal=5).items:
        assert sum(item.numbers_["queries"].values()) <= 20
        assert not item.numbers_["success"]
        assert item.reason == "0.99 of 5 was not reached"


def test_an_interruption_gives_what_there_is(lenet: Any) -> None:
    def stop(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    result = FoolingGradient(rate=0.5)(lenet, goal=(2, 3), progress=stop, keep_partial=True)
    assert result.provenance.interrupted
    assert [item.steps for item in result.items] == [1, 1]


def test_what_it_cannot_do_is_refused(lenet: Any) -> None:
    with pytest.raises(InputError, match="there is no class 'ten'"):
        FoolingGradient()(lenet, goal="ten")
    with pytest.raises(InputError, match="start is 'noise'"):
        FoolingGradient(start="noise")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="decay is 1.5"):
        FoolingGradient(decay=1.5)
