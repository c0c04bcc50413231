"""Square: its schedule, what its pictures hold, and how it does beside the peer's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.methods.attack.bisection import Bisection
from onnxray.methods.attack.score.square import Square
from support.attacking import attacked, bent
from support.paths import ROOT

SAMPLES = ROOT / "models" / "onnxray_models" / "lenet" / "samples"
DIGITS = [str(SAMPLES / f"{name}.png") for name in ("4_0", "9_0", "2_0", "7_0")]


@pytest.fixture(scope="module")
def lenet() -> Any:
    return onnxray.open("lenet")


def test_the_share_is_halved_as_the_paper_has_it() -> None:
    square = Square(share=0.8)
    ends = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000, 10000)
    for halved, end in enumerate(ends):
        assert square.share_at(end, 10000) == pytest.approx(0.8 / 2**halved)
        assert square.share_at(end // 10, 1000) == pytest.approx(0.8 / 2**halved)


def test_every_number_is_at_an_end_of_what_it_may_be(lenet: Any) -> None:
    for item in Square(eps=30.0, steps=20)(lenet, DIGITS).items:
        image, origin = item.images["image"].astype(int), item.images["origin"].astype(int)
        ends = np.maximum(origin - 30, 0), np.minimum(origin + 30, 255)
        assert ((image == ends[0]) | (image == ends[1])).all()


def test_more_steps_reach_more_and_the_norm_is_kept(lenet: Any) -> None:
    """A budget at which one random picture fails and 300 squares succeed."""
    for norm, eps in (("linf", 64.0), ("l2", 900.0)):
        few, many = (Square(norm=norm, eps=eps, steps=n)(lenet, DIGITS).items for n in (1, 300))
        assert sum(item.success for item in few) < sum(item.success for item in many)
        for item in many:
            assert item.norms[norm] <= eps
            assert item.queries["judge"] <= 302 + 5
            assert not item.queries["forward"]


def test_it_goes_to_a_class_that_is_wanted(lenet: Any) -> None:
    (item,) = Square(eps=80.0, steps=1500)(lenet, DIGITS[:1], 9).items
    assert item.success
    assert item.judged.class_ == 9


def test_norms_without_squares_are_refused() -> None:
    with pytest.raises(InputError, match="norm"):
        Square(norm="l1")  # type: ignore[arg-type]


def test_each_sample_keeps_its_own_budget_and_begins_where_it_is_told() -> None:
    model = bent(5)
    images = np.random.default_rng(2).integers(60, 196, (3, 1, 12, 12)).astype(np.float32)
    for norm in ("linf", "l2"):
        square, budgets = Square(norm=norm, steps=30), np.array([4.0, 40.0, 400.0])
        asked = replace(attacked(model, images, 1.0), eps=budgets)
        sizes = square.measure.size(square.perturb(asked).d)
        assert (sizes <= budgets * (1 + 1e-6)).all()
        assert sizes[0] < sizes[1]
    found = Square(eps=90.0, steps=300)
    first = attacked(model, images, 90.0)
    d = found.perturb(first).d
    arrived = first.oracle.met(d, first.rows)
    assert arrived.any()
    again = attacked(model, images, 90.0, start=d)
    assert np.array_equal(found.perturb(again).d[arrived], d[arrived])
    assert (again.oracle.queries.judge[arrived] == 2).all()


def test_its_budget_is_bisected_without_a_gradient(lenet: Any) -> None:
    for item in Bisection(of="square", setting=("steps=60",), first=64.0)(lenet, DIGITS[1:3]).items:
        assert item.success
        assert item.linf < 80
        assert item.queries["forward"] == item.queries["backward"] == 0
