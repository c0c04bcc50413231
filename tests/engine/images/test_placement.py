"""Where pictures come to lie, by the rules' own words, and the way back."""

from dataclasses import replace
from typing import Literal

import pytest

from onnxray.images.placement import Placement, placement
from onnxray.images.profile.profile import Profile

PROFILE = Profile(name="p", layout="NCHW", channels="RGB", scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3, size=(20, 30))


@pytest.mark.parametrize(
    ("size", "resized", "offset"),
    [
        ((60, 40), (30, 20), (0, 0)), ((100, 40), (30, 12), (0, -4)), ((40, 40), (20, 20), (-5, 0)), ((7, 90), (2, 20), (-14, 0)),
        ((1, 1000), (1, 20), (-14, 0)), ((1000, 1), (30, 1), (0, -9)), ((30, 20), (30, 20), (0, 0)), ((50, 33), (30, 20), (0, 0)),
    ],
)  # fmt: skip
def test_padding_fits_inside_and_is_centred(
    size: tuple[int, int], resized: tuple[int, int], offset: tuple[int, int]
) -> None:
    found = placement(replace(PROFILE, resize="pad"), *size)
    assert found == Placement(size, resized, *offset)


@pytest.mark.parametrize(
    ("size", "fraction", "resized", "offset"),
    [
        ((60, 40), 1.0, (30, 20), (0, 0)), ((100, 40), 1.0, (50, 20), (10, 0)), ((40, 40), 1.0, (30, 30), (0, 5)),
        ((60, 40), 0.5, (60, 40), (15, 10)), ((41, 40), 1.0, (30, 29), (0, 4)), ((30, 20), 0.5, (30, 20), (0, 0)),
    ],
)  # fmt: skip
def test_cropping_covers_and_takes_the_centre(
    size: tuple[int, int], fraction: float, resized: tuple[int, int], offset: tuple[int, int]
) -> None:
    found = placement(replace(PROFILE, resize="crop", crop_fraction=fraction), *size)
    assert found == Placement(size, resized, *offset)


@pytest.mark.parametrize(("rule", "size"), [("pad", (100, 40)), ("pad", (40, 100)), ("crop", (100, 40))])
def test_what_begins_at_the_start(rule: Literal["pad", "crop"], size: tuple[int, int]) -> None:
    profile = replace(PROFILE, resize=rule, crop_fraction=1.0)
    centred, found = placement(profile, *size), placement(replace(profile, crop_offset="start"), *size)
    assert (centred.left, centred.top) != (0, 0)
    assert found == replace(centred, left=0, top=0)


def test_stretching_keeps_no_aspect() -> None:
    assert placement(replace(PROFILE, resize="stretch"), 7, 90) == Placement((7, 90), (30, 20), 0, 0)


def test_a_box_goes_back_to_the_picture_and_not_beyond() -> None:
    found = Placement((100, 40), (50, 20), 10, -4)
    assert found.to_original((0, 4, 10, 14)) == (20, 0, 40, 20)
    assert found.to_original((-30, -9, 90, 99)) == (0, 0, 100, 40)
