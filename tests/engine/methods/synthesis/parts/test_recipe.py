"""What presets have in common, restated: the noise that they begin from, and the natural-image prior."""

import numpy as np
import pytest
import torch

from onnxray.methods.synthesis.ascent.loop import Ascent
from onnxray.methods.synthesis.ascent.parametrizations import Pixels
from onnxray.methods.synthesis.ascent.transforms import Crop
from onnxray.methods.synthesis.parts.recipe import Noise, Recipe, Setting, natural_prior, typical_norm

MEAN = (120.0, 110.0, 100.0)
SETTING = Setting(shape=(3, 6, 8), mean=MEAN, weight=2.5)
SHAPE = (4, 3, 8, 10)
ABOUT = np.reshape(MEAN, (1, 3, 1, 1))


def start(noise: Noise | None) -> np.ndarray | None:
    plan = Ascent(steps=1, parametrization=Pixels(), transforms=(Crop(pixels=2),))
    return Recipe(stages=(plan,), noise=noise).start(SETTING, 4, np.random.default_rng(3))


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        ("none", lambda random: np.broadcast_to(ABOUT, SHAPE)),
        ("faint", lambda random: ABOUT + 10 * random.standard_normal(SHAPE)),
        ("normal", lambda random: np.clip(ABOUT + 10 * random.standard_normal(SHAPE), 0, 255)),
        ("grey", lambda random: 175 + 8 * random.standard_normal(SHAPE)),
    ],
)
def test_starts_are_noise_about_a_colour(noise: Noise, expected) -> None:  # type: ignore[no-untyped-def]
    found = start(noise)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(np.random.default_rng(3)), rtol=1e-6)


def test_starts_of_a_size_have_it_for_every_image() -> None:
    norm, uniform = start("norm"), start("uniform")
    assert norm is not None
    assert uniform is not None
    size = 3 * 8 * 10
    np.testing.assert_allclose(np.linalg.norm((norm - ABOUT).reshape(4, -1), axis=1), typical_norm(size), rtol=1e-5)
    assert typical_norm(3 * 227 * 227) == pytest.approx(27098.1157)
    quantiles = np.quantile(np.abs(uniform - ABOUT).reshape(4, -1), 0.95, axis=1)
    np.testing.assert_allclose(quantiles, 80 / 3**0.5, rtol=1e-5)
    assert start(None) is None


def test_the_natural_prior_is_that_of_2016() -> None:
    x = np.random.default_rng(0).uniform(0, 255, (2, 3, 6, 8))
    found = sum(part.weight * part.penalty(torch.from_numpy(x)) for part in natural_prior(SETTING))
    colours = np.linalg.norm((x - ABOUT) / 80, axis=1) ** 6
    slopes = (np.diff(x, axis=3) ** 2).sum((1, 2, 3)) + (np.diff(x, axis=2) ** 2).sum((1, 2, 3))
    expected = 2.5 * (colours.mean((1, 2)) + slopes / (6 * 8) / (80 / 6.5) ** 2)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-6)
