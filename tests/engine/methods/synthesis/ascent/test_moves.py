"""Transforms and projections against numpy and scipy."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from onnxray.methods.synthesis.ascent.projections import (
    Blur,
    Bounds,
    ColourNorm,
    Decay,
    SmallContribution,
    SmallNorm,
    gaussian_blur,
)
from onnxray.methods.synthesis.ascent.transforms import Crop, Roll, Similarity

CENTRE = (120.0, 110.0, 100.0)
C = np.reshape(CENTRE, (1, 3, 1, 1))


def images(seed: int = 0, shape: tuple[int, ...] = (2, 3, 12, 15)) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, shape)


def projected(projection, x: np.ndarray, step: int = 0, gradient: np.ndarray | None = None) -> np.ndarray:
    slope = torch.zeros(x.shape, dtype=torch.float64) if gradient is None else torch.from_numpy(gradient)
    return projection(torch.from_numpy(x), slope, step).numpy()


def test_a_crop_is_each_window_of_its_play_and_takes_what_its_margin_says():
    x = images()
    crop = Crop(pixels=2)
    assert crop.margin == 2
    windows = {(i, j): x[:, :, i : i + 10, j : j + 13] for i in range(3) for j in range(3)}
    random, seen = torch.Generator().manual_seed(0), set()
    for _ in range(80):
        found = crop(torch.from_numpy(x), random).numpy()
        seen |= {place for place, window in windows.items() if np.array_equal(window, found)}
    assert seen == set(windows)


def test_a_roll_is_numpys():
    x = images()
    shifts = {(i, j): np.roll(x, (i, j), (2, 3)) for i in range(-2, 3) for j in range(-2, 3)}
    random, seen = torch.Generator().manual_seed(0), set()
    for _ in range(200):
        found = Roll(pixels=2)(torch.from_numpy(x), random).numpy()
        seen |= {place for place, shifted in shifts.items() if np.array_equal(shifted, found)}
    assert seen == set(shifts)


@pytest.mark.parametrize(
    ("scale", "degrees", "jitter"), [(1.0, 0, 0), (1.1, 0, 0), (1.0, 7, 0), (0.9, -10, 0), (1.04, 3, 4)]
)
def test_a_similarity_reads_where_its_formula_says(scale: float, degrees: int, jitter: int):
    x = images()
    random = torch.Generator().manual_seed(5)
    transform = Similarity(scales=(scale,), degrees=(degrees,), jitters=(jitter,), ground=90.0)
    variable = torch.from_numpy(x).float().requires_grad_()
    found = transform(variable, random)
    again = torch.Generator().manual_seed(5)
    for _ in range(2):  # the picks of scale and angle
        torch.randint(0, 1, (), generator=again)
    down, across = (int(torch.randint(0, jitter + 1, (), generator=again)) - jitter / 2 for _ in range(2))
    rows, columns = np.indices(x.shape[2:]).astype(float)
    middle = (np.array(x.shape[2:]) - 1) / 2
    angle = math.radians(degrees)
    v, u = (rows - middle[0]) / scale, (columns - middle[1]) / scale
    read = [
        np.sin(angle) * u + np.cos(angle) * v + middle[0] + down,
        np.cos(angle) * u - np.sin(angle) * v + middle[1] + across,
    ]
    for n, c in np.ndindex(x.shape[:2]):
        expected = ndimage.map_coordinates(x[n, c] - 90, read, order=1, mode="grid-constant") + 90
        np.testing.assert_allclose(found[n, c].detach().numpy(), expected, atol=0.02)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    (found * weights).sum().backward()
    assert variable.grad is not None
    moved = torch.from_numpy(images(seed=2)).float()  # linear in x - ground, so the difference is exact
    with torch.no_grad():
        other = transform(moved, torch.Generator().manual_seed(5))
        difference = float(((other - found) * weights).sum())
        assert float((variable.grad * (moved - variable)).sum()) == pytest.approx(difference, rel=1e-3, abs=1)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.3])
def test_the_blur_is_scipys_gaussian_filter(sigma: float):
    x = images()
    found = gaussian_blur(torch.from_numpy(x), sigma).numpy()
    expected = ndimage.gaussian_filter(x, (0, 0, sigma, sigma), truncate=4.0, mode="reflect")
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_blur_wider_than_the_image_mirrors_again():
    x = images(shape=(1, 1, 3, 4))
    expected = ndimage.gaussian_filter(x, (0, 0, 2.0, 2.0), truncate=4.0, mode="reflect")
    np.testing.assert_allclose(gaussian_blur(torch.from_numpy(x), 2.0).numpy(), expected, rtol=1e-10)


def test_the_blur_comes_every_so_many_steps():
    x = images()
    blur = Blur(radius=1.0, every=4)
    assert [bool((projected(blur, x, step) != x).any()) for step in range(6)] == [
        True,
        False,
        False,
        False,
        True,
        False,
    ]


def test_bounds_and_decay():
    x = images() * 2 - 100
    np.testing.assert_array_equal(projected(Bounds(), x), np.clip(x, 0, 255))
    np.testing.assert_allclose(projected(Decay(rate=0.3, centre=CENTRE), x), C + 0.7 * (x - C), rtol=1e-12)


def test_pixels_of_small_norm_or_contribution_become_the_centre_in_each_image_alone():
    x, g = images(), np.random.default_rng(3).standard_normal((2, 3, 12, 15))
    x[1] /= 10  # a percentile over the batch would take this image's pixels alone
    sizes = {
        SmallNorm(percentile=30, centre=CENTRE): np.sqrt(((x - C) ** 2).sum(1)),
        SmallContribution(percentile=30, centre=CENTRE): np.abs((-(x - C) * g).sum(1)),
    }
    for projection, size in sizes.items():
        least = np.percentile(size.reshape(2, -1), 30, axis=1).reshape(2, 1, 1)
        expected = np.where((size < least)[:, None], C, x)
        assert (expected == C).all(1).reshape(2, -1).sum(1).tolist() == [54, 54]
        np.testing.assert_array_equal(projected(projection, x, gradient=g), expected)


def test_the_colour_norm_is_projected_onto_its_ball():
    x = images() * 3 - 200
    found = projected(ColourNorm(most=160, centre=CENTRE), x)
    norm = np.sqrt(((x - C) ** 2).sum(1, keepdims=True))
    np.testing.assert_allclose(found, C + (x - C) * np.minimum(1, 160 / norm), rtol=1e-12)
    assert np.array_equal(
        projected(ColourNorm(most=160, centre=CENTRE), np.broadcast_to(C, x.shape).copy())[0],
        np.broadcast_to(C, x.shape)[0],
    )
