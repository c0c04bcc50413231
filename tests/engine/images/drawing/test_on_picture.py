"""A map over the whole picture: each place has the number that the model's own pixels have there, the rest is dimmed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from onnxray.images.drawing.heat_map import draw_overlay
from onnxray.images.drawing.object_outline import DIMMED
from onnxray.images.drawing.on_picture import draw_on_picture
from onnxray.images.drawing.plot_style import SKY, rgb
from onnxray.images.placement import Placement, placement
from onnxray.images.profile.profile import Profile

PROFILE = Profile(name="p", layout="NCHW", channels="RGB", scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3, size=(20, 20))


def picture(width: int, height: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (3, height, width), dtype=np.uint8)


def test_a_picture_of_the_models_size_is_the_overlay() -> None:
    image, heat = picture(20, 20), np.random.default_rng(1).uniform(0, 1, (20, 20)).astype(np.float32)
    drawn = draw_on_picture(image, heat, 1.0, Placement((20, 20), (20, 20), 0, 0), signed=False, colormap="auto")
    assert np.array_equal(drawn, draw_overlay(image, heat, 1.0, signed=False))


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize(
    ("rule", "size"), [("crop", (90, 60)), ("crop", (60, 90)), ("stretch", (90, 60)), ("stretch", (7, 300))]
)
def test_what_the_model_saw_lies_where_it_was_taken_from(rule: Any, size: tuple[int, int], grey: bool) -> None:
    """A ramp over the model's pixels, read back at every place of the picture."""
    placed = placement(replace(PROFILE, resize=rule, crop_fraction=0.8), *size)
    ramp = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    image = np.zeros((1 if grey else 3, size[1], size[0]), np.uint8)
    drawn = draw_on_picture(image, ramp, 1.0, placed, signed=False, colormap="auto")
    assert drawn.shape == (3, size[1], size[0])
    x0, y0, x1, y1 = (round(side) for side in placed.to_original((0, 0, 20, 20)))
    columns = (np.arange(x0, x1) + 0.5) * placed.resized[0] / size[0] - placed.left
    rows = (np.arange(y0, y1) + 0.5) * placed.resized[1] / size[1] - placed.top
    expected = np.array([[_bilinear(ramp, y, x) for x in columns] for y in rows], np.float32)
    inner = draw_overlay(image[:, y0:y1, x0:x1], expected, 1.0, signed=False)
    thick = max(1, min(size) // 200)
    middle = (slice(None), slice(thick, y1 - y0 - thick), slice(thick, x1 - x0 - thick))
    assert np.abs(drawn[:, y0:y1, x0:x1][middle].astype(int) - inner[middle].astype(int)).max() <= 1
    framed = (drawn == np.reshape(rgb(SKY), (3, 1, 1))).all(0)
    whole = (x0, y0, x1, y1) == (0, 0, *size)
    assert framed.any() != whole
    beyond = np.ones((size[1], size[0]), bool)
    beyond[y0:y1, x0:x1] = False
    assert not framed[beyond].any()
    assert not drawn[:, beyond].any()  # a black picture, dimmed


def _bilinear(array: Any, y: float, x: float) -> float:
    y, x = (min(max(at - 0.5, 0.0), 19.0) for at in (y, x))
    top, left = min(int(y), 18), min(int(x), 18)
    down, across = y - top, x - left
    (a, b), (c, d) = array[top : top + 2, left : left + 2]
    return float((a * (1 - across) + b * across) * (1 - down) + (c * (1 - across) + d * across) * down)


def test_what_the_model_did_not_see_is_dimmed_in_its_colours() -> None:
    image = picture(60, 30)
    placed = placement(replace(PROFILE, crop_fraction=1.0), 60, 30)
    drawn = draw_on_picture(image, np.ones((20, 20), np.float32), 1.0, placed, signed=True, colormap="auto")
    assert np.array_equal(drawn[:, :, :15], np.rint(DIMMED * image[:, :, :15].astype(np.float64)).astype(np.uint8))
    assert (drawn[:, :, 15] == np.reshape(rgb(SKY), (3, 1))).all()


def test_a_padded_picture_is_seen_whole() -> None:
    image = picture(60, 30)
    placed = placement(replace(PROFILE, resize="pad"), 60, 30)
    drawn = draw_on_picture(image, np.zeros((20, 20), np.float32), 1.0, placed, signed=True, colormap="auto")
    assert np.array_equal(drawn, draw_overlay(image, np.zeros((30, 60), np.float32), 1.0, signed=True))


def test_bands_of_a_large_picture_meet() -> None:
    image = np.zeros((3, 700, 40), np.uint8)
    placed = placement(replace(PROFILE, resize="stretch"), 40, 700)
    heat = np.broadcast_to(np.linspace(0, 1, 20, dtype=np.float32)[:, None], (20, 20))
    column = draw_on_picture(image, heat, 1.0, placed, signed=False, colormap="auto").astype(int)[:, :, 20]
    assert np.abs(np.diff(column.sum(0))).max() <= 8  # one step of the colours
