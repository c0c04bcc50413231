"""What engines answer with NaN is no arrival, and concerns none of the samples that are asked about with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from onnxray.errors import NotDifferentiable
from onnxray.images.pixels import Pixels
from support import models
from support.linear import RAW, SIDE

HOLE = f"""
hole (float[N,1,{SIDE},{SIDE}] x) => (float[N,K] z) {{
  flat = Flatten (x)
  p = MatMul (flat, first)
  over = Sub (p, edge)
  root = Sqrt (over)
  nothing = Mul (root, zero)
  h = MatMul (flat, w)
  z = Add (h, nothing)
}}
"""
SAID = "scores or gradients were NaN or infinity somewhere on the way"


def hole(edge: float = 100.0) -> Any:
    """Linear where the first pixel is above ``edge``; NaN throughout below it."""
    first = np.zeros((SIDE * SIDE, 1), np.float32)
    first[0] = 1
    w = np.random.default_rng(1).normal(0, 0.002, (SIDE * SIDE, 3)).astype(np.float32)
    w[0] = 0
    weights = {"w": w, "first": first, "edge": np.float32(edge), "zero": np.float32(0)}
    return onnxray.open(models.parse(HOLE, weights), RAW, output="z=logits")


@pytest.fixture(scope="module")
def images() -> Any:
    """The first near the edge, the others far from it."""
    found = np.random.default_rng(0).integers(90, 166, (3, 1, SIDE, SIDE)).astype(np.float32)
    found[:, 0, 0, 0] = 101, 200, 240
    return found


@pytest.mark.parametrize(
    ("name", "options", "meets"),
    [
        ("HopSkipJump", {"steps": 4, "first_draws": 20}, True),
        ("HotCold", {}, False),
        ("Noise", {"eps": 60.0, "draws": 40}, True),
        ("RayS", {"steps": 30}, False),
        ("PGD", {"eps": 60.0, "steps": 5}, True),
        ("FMN", {"steps": 20}, False),
        ("Square", {"eps": 3.0, "steps": 60}, True),
        ("NES", {"eps": 60.0, "steps": 4, "pairs": 10, "spread": 40.0}, True),
    ],
)
def test_nan_on_the_way_is_no_arrival_and_stops_nothing(
    name: str, options: dict[str, Any], meets: bool, images: Any
) -> None:
    model, method = hole(), getattr(onnxray.methods, name)(**options)
    result = method(model, images)
    assert len(result.items) == 3
    for item in result.items:
        assert np.isfinite(model.values(Pixels.of(item.images["image"][None]), ["z"])["z"]).all()
        assert item.success == (item.judged.class_ != item.origin.class_)
    if meets:
        assert any(SAID in note for note in result.provenance.notes)
    alone = method(model, images[1:2]).items[0]
    np.testing.assert_array_equal(alone.images["image"], result.items[1].images["image"])


def test_an_evaluation_goes_on_over_nan(images: Any) -> None:
    near = images.copy()
    near[:, 0, 0, 0] = 101
    result = RobustnessEvaluation(eps="3,60", reach=1e9, trust_images=3)(hole(100.5), near)
    assert all(item.smallest is not None for item in result.items)
    assert any("square: of" in note and SAID in note for note in result.provenance.notes)
    verdicts = {test["name"]: test["verdict"] for test in result.extra["robustness"]["trust"]}
    assert len(verdicts) == 13
    assert verdicts["rounded outputs"] == "not run"


def test_a_sample_that_has_no_gradient_itself_is_refused(images: Any) -> None:
    """Its own scores are finite, its gradient is not: at the edge the root's slope is infinite, and 0 times that NaN."""
    at_edge = images[:1].copy()
    at_edge[0, 0, 0, 0] = 100
    with pytest.raises(NotDifferentiable, match="holds NaN or infinity"):
        onnxray.methods.FGSM(eps=4.0)(hole(), at_edge)
