"""HopSkipJump and RayS on a linear classifier, whose nearest boundary is known, and on files that give labels alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxray.images.pixels import Pixels
from onnxray.methods.attack.decision.hopskipjump import HopSkipJump
from onnxray.methods.attack.decision.rays import RayS
from support.linear import SIDE, Linear

LINEAR = Linear.random(0, features=6, classes=2)
IMAGES = np.random.default_rng(3).integers(90, 166, (4, 1, SIDE, SIDE)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> Any:
    return LINEAR.open()


def distances(order: float) -> Any:
    """|z_y - z_j| / ||w_y - w_j||_q of each image, q the dual of the norm."""
    w = LINEAR.v.astype(float) @ LINEAR.w
    z = IMAGES.reshape(4, -1).astype(float) @ w.T + LINEAR.b
    return np.abs(z[:, 0] - z[:, 1]) / np.linalg.norm(w[0] - w[1], order)


def test_hopskipjump_comes_near_the_smallest_l2(model: Any) -> None:
    found = HopSkipJump(steps=30, first_draws=60, float_=True)(model, IMAGES).items
    ratio = np.array([item.unrounded["l2"] for item in found]) / distances(2)
    assert all(item.unrounded["success"] for item in found)
    assert (ratio >= 0.999).all()
    assert np.median(ratio) < 1.1


def test_hopskipjump_comes_near_the_smallest_linf(model: Any) -> None:
    found = HopSkipJump(norm="linf", steps=30, first_draws=60, float_=True)(model, IMAGES).items
    ratio = np.array([item.unrounded["linf"] for item in found]) / distances(1)
    assert (ratio >= 0.999).all()
    assert np.median(ratio) < 1.35


def test_rays_reaches_the_smallest_linf(model: Any) -> None:
    """All signs are found on 144 numbers: what is left is the tolerance."""
    found = RayS(steps=1500, tolerance=0.01, float_=True)(model, IMAGES).items
    for item, least in zip(found, distances(1)):
        assert least * 0.999 <= item.unrounded["linf"] <= least * 1.05 + 0.03
        assert item.linf <= np.ceil(least * 1.05 + 0.03)


def test_it_begins_at_a_sample_of_what_is_wanted(model: Any, tmp_path: Any) -> None:
    """Where every noise is of the class that is left, a picture of the other one is the way in."""
    from PIL import Image

    dark = Linear(np.ones_like(LINEAR.w[:1]), np.array([[1], [-1]]), np.array([-SIDE * SIDE * 200, SIDE * SIDE * 200]))
    judge = dark.open()
    image = np.full((1, 1, SIDE, SIDE), 90, np.float32)
    assert judge.predict(Pixels.of(image)).classes[0] == 1
    path = tmp_path / "light.png"
    Image.fromarray(np.full((SIDE, SIDE), 240, np.uint8)).save(path)
    without = HopSkipJump(steps=2, queries=60)(judge, image).items[0]
    item = HopSkipJump(steps=5, start=str(path))(judge, image).items[0]
    assert not without.success
    assert item.success
    assert item.l2 >= 110 * SIDE * 0.999


@pytest.mark.parametrize("method", [HopSkipJump(steps=3, first_draws=20), RayS(steps=40)])
def test_no_score_is_asked_for(method: Any, model: Any) -> None:
    for item in method(model, IMAGES).items:
        assert item.success
        assert item.queries["forward"] == item.queries["backward"] == 0
