"""Square: its schedule, what its pictures hold, and how it does beside the peer's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.methods.attack.score.square import Square
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
