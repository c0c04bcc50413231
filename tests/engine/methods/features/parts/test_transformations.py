"""What each factor makes of a picture: nothing at its own level, and what it says at the others."""

import numpy as np
import pytest

from onnxray.methods.features.parts.transformations import FACTORS

RANDOM = np.random.default_rng(0)
PHOTO = np.clip(
    np.stack([np.add.outer(np.arange(40.0), 2 * np.arange(32.0)) + shift for shift in (0, 60, 120)])
    + RANDOM.uniform(-8, 8, (3, 40, 32)), 0, 255,
).astype(np.float32)  # fmt: skip


@pytest.mark.parametrize("name", FACTORS)
def test_a_picture_is_itself_at_its_own_level_and_another_elsewhere(name: str) -> None:
    factor = FACTORS[name]
    found = factor.variants(PHOTO)
    assert found.shape == (len(factor.levels), *PHOTO.shape)
    assert found.min() >= 0
    assert found.max() <= 255
    own = factor.levels.index(factor.own)
    np.testing.assert_array_equal(found[own], PHOTO)
    far = np.abs(found - PHOTO).mean((1, 2, 3))
    assert (np.delete(far, own) > 0).all()
    further = far[own:] if own < len(far) - 1 else far
    assert (np.diff(further) > 0).all(), "further levels change it more"


def test_by_their_definitions() -> None:
    made = {name: dict(zip(factor.levels, factor.variants(PHOTO))) for name, factor in FACTORS.items()}
    np.testing.assert_array_equal(made["flip"][1], PHOTO[:, :, ::-1])
    np.testing.assert_allclose(made["light"][20], np.clip(PHOTO + 20, 0, 255))
    middle = PHOTO.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(made["contrast"][0.6], np.clip(middle + 0.6 * (PHOTO - middle), 0, 255), rtol=1e-5)
    shifted = made["translation"][0.15]  # 4.8 pixels to the right, between two of them
    np.testing.assert_allclose(shifted[:, :, 10], 0.8 * PHOTO[:, :, 5] + 0.2 * PHOTO[:, :, 6], rtol=1e-4)
    square = made["occlusion"][0.5][:, 10:30, 8:24]
    np.testing.assert_allclose(square, np.broadcast_to(middle, square.shape))


def test_a_turn_there_and_back_and_a_hue_of_a_full_circle() -> None:
    smooth = 127 + 60 * np.sin(np.add.outer(np.arange(64) / 9, np.arange(64) / 7))[None].astype(np.float32)
    rotation = FACTORS["rotation"]
    again = rotation.change(rotation.change(smooth, 20).astype(np.float32), -20)
    np.testing.assert_allclose(again[:, 20:44, 20:44], smooth[:, 20:44, 20:44], atol=1.5)
    hue = FACTORS["hue"]
    np.testing.assert_allclose(hue.change(PHOTO, 360), PHOTO, atol=1e-3)
    assert not hue.fits(1)
    assert FACTORS["flip"].fits(1)
