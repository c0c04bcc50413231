"""Maps of samples that are no pictures: which drawing a sample has, and that it shows what the map holds."""

from typing import Any

import numpy as np
import pytest

from onnxray.images.drawing.bars import draw_bars
from onnxray.images.drawing.heat_map import draw_map
from onnxray.images.drawing.plot_style import BLUE, VERMILION, rgb
from onnxray.images.drawing.samples import SamplePictures
from onnxray.images.drawing.strip import draw_strip
from support.models import random


def drawn(heat: Any, **options: Any) -> Any:
    heat = np.asarray(heat, np.float32)
    given = {"sample": np.zeros_like(heat), "span": float(np.abs(heat).max()), "signed": True, "colormap": "auto"}
    return SamplePictures(heat=heat, **(given | options))


def share(picture: Any, colour: Any) -> float:
    return float((picture == np.reshape(np.asarray(colour, np.uint8), (3, 1, 1))).all(0).mean())


@pytest.mark.parametrize("shape", [(5,), (1, 5), (200,), (1, 1, 900), (20, 30), (1, 20, 30), (3, 16, 16), ()])
def test_every_shape_of_up_to_three_axes_has_a_picture(shape: tuple[int, ...]) -> None:
    pictures = drawn(np.asarray(random(0, *shape)) if shape else np.float32(1))
    assert list(pictures) == ["map"]
    picture = pictures["map"]
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert share(picture, (255, 255, 255)) > 0.1  # a light page


def test_what_has_more_axes_has_none() -> None:
    pictures = drawn(random(0, 2, 3, 4, 5))
    assert list(pictures) == []
    assert len(pictures) == 0
    with pytest.raises(KeyError):
        pictures["map"]


def test_bars_are_as_long_as_the_numbers() -> None:
    picture = draw_bars(["a", "b"], np.array([1.0, -0.5], np.float32), np.array([3.0, 4.0]), title="t")
    for_it, against = share(picture, rgb(VERMILION)), share(picture, rgb(BLUE))
    assert for_it / against == pytest.approx(2, rel=0.05)


def test_words_stand_on_the_colours_of_their_numbers() -> None:
    heat = np.array([1.0, -1.0, 0.25], np.float32)
    picture = drawn(heat, kind="token ids", words=("good", "bad", "so"), title="logit of class 1")["map"]
    for colour in draw_map(heat[None], 1.0, signed=True)[:, 0].T:
        assert share(picture, colour) > 0.002


@pytest.mark.parametrize("kind", ["picture", "array"])
def test_rows_and_columns_stand_as_pictures_or_as_spectrograms_do(kind: str) -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[0] = 1  # the first row
    picture = drawn(heat, kind=kind, signed=False)["map"]
    bright = draw_map(np.ones((1, 1), np.float32), 1.0, signed=False)[:, 0, 0]
    rows = np.nonzero((picture == bright.reshape(3, 1, 1)).all(0).sum(1) > 50)[0]
    dark = draw_map(np.zeros((1, 1), np.float32), 1.0, signed=False)[:, 0, 0]
    others = np.nonzero((picture == dark.reshape(3, 1, 1)).all(0).sum(1) > 50)[0]
    assert (rows.mean() < others.mean()) == (kind == "picture")


def test_a_strip_shows_the_largest_of_each_share() -> None:
    heat = np.zeros(9000, np.float32)
    heat[4321] = 1.0
    picture = drawn(heat, sample=np.sin(np.arange(9000) / 50), signed=False)["map"]
    assert share(picture, draw_map(np.zeros((1, 1), np.float32), 1.0, signed=False)[:, 0, 0]) > 0.05
    bright = (picture.astype(int).sum(0) > 300) & (picture[0].astype(int) - picture[2] > 60)
    assert bright.any()


def test_a_number_s_colour_lies_under_its_place_of_the_curve() -> None:
    numbers = np.float32([0, 0, 1, 0])
    picture = draw_strip(numbers, numbers, 1.0, signed=False, colormap="auto", title="")
    bright = draw_map(np.ones((1, 1), np.float32), 1.0, signed=False)[:, 0].reshape(3, 1, 1)
    coloured = np.nonzero((picture == bright).all(0).sum(0) > 20)[0]
    peak = np.nonzero(picture[0, :30, 60:] < 150)[1] + 60  # right of the axis' numbers
    assert coloured.mean() == pytest.approx(peak.mean(), abs=3)


def test_names_and_tokens_of_strangers_are_drawn_as_text() -> None:
    hostile = ("$x^2$", "a\nb", "\u202egood", "", "x" * 500)
    assert drawn(random(0, 5), kind="token ids", words=hostile)["map"].shape[2] == 840
    assert drawn(random(0, 5), words=hostile)["map"].ndim == 3
