"""FGV of a linear model: its gradient is the same everywhere, so that the scale is known."""

from __future__ import annotations

import numpy as np
import pytest

from onnxray.methods.attack.gradient.fgv import FGV
from support.attacking import straight


def test_the_scale_is_where_the_line_meets_the_boundary() -> None:
    """x_0 + s v / max |v| with v = w_1 - w_0 meets it at s = margin max |v| / ||v||^2, but for rounding."""
    model, weights = straight(2)
    images = np.random.default_rng(1).integers(70, 186, (4, 1, 12, 12)).astype(np.uint8)
    slope = weights[1] - weights[0]
    for item, image in zip(FGV(search="exhaustive")(model, images).items, images):
        margin = abs(slope @ image.ravel().astype(np.float64))
        towards = -np.sign(slope @ image.ravel()) * slope
        assert item.success
        assert item.numbers_["scale"] == pytest.approx(margin * np.abs(slope).max() / (slope @ slope), abs=0.5)
        moved = item.images["image"].astype(float) - image
        assert np.corrcoef(moved.ravel(), towards)[0, 1] > 0.99
