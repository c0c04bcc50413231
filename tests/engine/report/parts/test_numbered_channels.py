"""Grids of channels on sheets: each keeps its place beside the numbers, and the scale says what its greys are."""

from __future__ import annotations

import numpy as np
import pytest

import onnxray
import onnxray_models
from onnxray.images.drawing.page.palette import DARK, WHITE, Palette
from onnxray.images.drawing.plot_style import rgb as rgb_of
from onnxray.methods.synthesis.activations import Activations
from onnxray.methods.synthesis.filters import Filters
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.report.parts.numbered_channels import LARGEST, grey_bar, numbered_grid

FOUR = next(str(path) for path in onnxray_models.samples("lenet") if path.stem == "4_0")
_MARGIN = 30


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


@pytest.mark.parametrize("palette", [WHITE, DARK])
def test_the_grid_is_there_as_it_was_beside_numbers(lenet: onnxray.Model, palette: Palette) -> None:
    result = Activations(layer="conv1")(lenet, [FOUR])
    (item,) = result.items
    grid = numbered_grid(item, result.provenance.method["options"], palette)
    assert grid is not None
    assert max(grid.shape) <= LARGEST
    inside = grid[:, _MARGIN:, _MARGIN:]
    times = inside.shape[1] // item.images["image"].shape[1]
    assert times >= 2
    np.testing.assert_array_equal(inside[0, ::times, ::times], item.images["image"][0])
    edge = np.concatenate([grid[:, :_MARGIN].reshape(3, -1), grid[:, :, :_MARGIN].reshape(3, -1)], 1)
    assert palette.page is not None
    assert (edge == np.array(rgb_of(palette.page))[:, None]).all(0).mean() > 0.8
    assert (edge == np.array(rgb_of(palette.soft_ink))[:, None]).all(0).any()


def test_a_large_grid_is_made_smaller_before_it_is_numbered(lenet: onnxray.Model) -> None:
    result = Filters(layer="conv2")(lenet)
    (item,) = result.items
    grid = numbered_grid(item, result.provenance.method["options"], WHITE)
    assert grid is not None
    assert max(item.images["image"].shape) > LARGEST
    assert max(grid.shape) == LARGEST


def test_scales_say_what_black_and_white_are(lenet: onnxray.Model) -> None:
    for normalise in ("layer", "channel"):
        result = Activations(layer="conv1", normalise=normalise)(lenet, [FOUR])
        bar = grey_bar(result.items[0], result.provenance.method["options"])
        numbers = result.items[0].numbers_
        assert bar is not None
        ends = (f"{numbers['least']:.3g}", f"{numbers['largest']:.3g}", "")
        assert (bar.low, bar.high, bar.unit) == (
            ends if normalise == "layer" else ("least", "largest", "of each channel")
        )
        assert bar.colours[:, 0, 0].tolist() == [0] * 3
        assert bar.colours[:, 0, -1].tolist() == [255] * 3


def test_other_pictures_have_none(lenet: onnxray.Model) -> None:
    result = Maximize(steps=1)(lenet, None, "4")
    assert numbered_grid(result.items[0], result.provenance.method["options"], WHITE) is None
    assert grey_bar(result.items[0], result.provenance.method["options"]) is None
