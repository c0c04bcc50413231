"""A picture in which a detector lists no box is listed as not applicable, and the others are attacked all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.images.profile.profile import Profile
from onnxray.methods.attack.decision.noise import Noise
from onnxray.methods.attack.gradient.pgd import PGD
from support import models

SIDE = 8
PROFILE = Profile(
    name="unit", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0,) * 3, std=(1,) * 3, size=(SIDE, SIDE)
)
BRIGHT = """
bright (float[1,3,8,8] x) => (float[1,64,4] boxes, float[1,64,1] scores) {
  s4 = Constant <value_ints = [1, 4, -1]> ()
  s1 = Constant <value_ints = [1, 1, -1]> ()
  b0 = Conv (x, kb)
  b1 = Reshape (b0, s4)
  boxes = Transpose <perm = [0, 2, 1]> (b1)
  c0 = Conv (x, ks, bias)
  c1 = Reshape (c0, s1)
  c2 = Transpose <perm = [0, 2, 1]> (c1)
  scores = Sigmoid (c2)
}
"""


@pytest.fixture(scope="module")
def model() -> Any:
    """A place is a box where it is bright."""
    weights = {
        "kb": models.random(0, 4, 3, 1, 1), "ks": np.full((1, 3, 1, 1), 4, np.float32),
        "bias": np.full(1, -6, np.float32),
    }  # fmt: skip
    return onnxray.open(models.parse(BRIGHT, weights).SerializeToString(), PROFILE)


def folder(*shades: int) -> Any:
    """A picture of each shade, with one brighter place where it is bright at all."""
    found = np.stack([np.full((3, SIDE, SIDE), shade, np.float32) for shade in shades])
    for one, shade in zip(found, shades):
        one[:, 2, 3] += 20 if shade > 50 else 0
    return found


@pytest.mark.parametrize("method", [PGD(eps=60.0, steps=20), Noise(eps=4.0, draws=3)])
def test_the_rest_goes_on(model: Any, method: Any) -> None:
    images = folder(10, 150, 10, 160, 10)
    result = method(model, images)
    assert [item.goal.startswith("not applicable") for item in result.items] == [True, False, True, False, True]
    for item, image in zip(result.items, images):
        np.testing.assert_array_equal(item.images["origin"], image)
    left = result.items[0]
    assert not left.success
    assert left.reason == "not applicable: no boxes listed, and boxes[0] was asked for"
    assert (left.l2, left.linf, sum(left.queries.values())) == (0, 0, 0)
    assert any(note.startswith("3 of 5 samples are left out: not applicable") for note in result.provenance.notes)
    (alone,) = method(model, images[3:4]).items
    np.testing.assert_array_equal(alone.images["image"], result.items[3].images["image"])
    assert len({item.stems["origin"] for item in result.items}) == 5


def test_where_none_has_a_box_it_is_refused(model: Any) -> None:
    with pytest.raises(InputError, match="no box is listed"):
        PGD()(model, folder(10, 10))


def test_a_box_of_another_place_is_asked_for(model: Any) -> None:
    goal = "boxes[70].score < 0.3"
    with pytest.raises(InputError, match=r"there is no boxes\[70\]"):
        PGD()(model, folder(150, 160), goal)
