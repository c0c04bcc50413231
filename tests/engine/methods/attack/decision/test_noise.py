"""Noise: of the norm that is stated, anywhere, and no oftener drawn than is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxray.methods.attack.decision.noise import Noise
from support.linear import SIDE, Linear

GREY = np.full((1, 1, SIDE, SIDE), 128, np.float32)
NEVER = Linear(np.ones((1, SIDE * SIDE), int), np.array([[1], [0]]), np.array([0, 0]))
"""Which calls everything that is not black class 0."""


@pytest.mark.parametrize("distribution", ["uniform", "gaussian"])
@pytest.mark.parametrize(("norm", "eps"), [("linf", 20.0), ("l2", 150.0), ("l1", 1500.0)])
def test_the_norm_is_the_budget(distribution: Any, norm: Any, eps: float) -> None:
    noise = Noise(norm=norm, eps=eps, distribution=distribution, draws=5, float_=True)
    (item,) = noise(NEVER.open(), GREY).items
    assert item.unrounded[norm] == pytest.approx(eps, rel=1e-4)
    assert item.norms[norm] <= eps
    assert not item.success
    assert item.numbers_["draws"] == item.queries["judge"] == 5
    change = item.images["image"].astype(float) - 128
    assert abs(change.mean()) < 0.25 * np.abs(change).max()
    if norm == "l2":  # the share of numbers within half of the largest tells the two apart
        assert ((np.abs(change) < np.abs(change).max() / 2).mean() > 0.6) == (distribution == "gaussian")


def test_it_ends_at_the_first_that_succeeds() -> None:
    """On a boundary through the image one draw in two is over it."""
    image = GREY.copy()
    image[0, 0, 0, 0] = 129
    w = np.ones((1, SIDE * SIDE), int)
    judge = Linear(w, np.array([[1], [-1]]), np.array([-128 * SIDE * SIDE, 128 * SIDE * SIDE])).open()
    (item,) = Noise(eps=30.0, draws=500)(judge, image).items
    assert item.success
    assert item.numbers_["draws"] <= item.queries["judge"] < 40


def test_draws_differ_from_seed_to_seed() -> None:
    one, other, again = (Noise(eps=9.0, draws=2)(NEVER.open(), GREY, seed=k).items[0] for k in (0, 1, 0))
    assert not np.array_equal(one.images["image"], other.images["image"])
    assert np.array_equal(one.images["image"], again.images["image"])
