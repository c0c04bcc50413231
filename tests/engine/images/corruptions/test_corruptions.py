"""Corruptions against their formulas, as the benchmark's own scripts state them."""

from __future__ import annotations

import colorsys
import io
import math

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.filters import gaussian

from onnxray.errors import InputError
from onnxray.images.corruptions.blur import along_line, defocus_blur, enlarged, glass_blur, motion_blur, zoom_blur
from onnxray.images.corruptions.catalogue import CORRUPTIONS, FAMILIES, FURTHER, SEVERITIES, corrupted, named
from onnxray.images.corruptions.digital import elastic_transform
from onnxray.images.corruptions.severities import NAMES, Severity, severity_of
from onnxray.images.corruptions.weather import brightness, fog, plasma, snow

RANDOM = np.random.default_rng(0)
SMOOTH = ndimage.gaussian_filter(RANDOM.uniform(0, 1, (3, 40, 48)), (0, 3, 3))
X = (SMOOTH - SMOOTH.min()) / np.ptp(SMOOTH)
PICTURE = np.rint(X * 255).astype(np.uint8)


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_any_size_get_worse_with_severity_and_the_same_for_the_same_draw(name: str) -> None:
    for shape in ((1, 28, 28), (3, 33, 50), (3, 1, 1), (1, 2, 7)):
        picture = drawn().integers(0, 256, shape).astype(np.uint8)
        for severity in SEVERITIES:
            worse = corrupted(picture, name, severity, drawn(severity))
            assert worse.shape == shape
            assert worse.dtype == np.uint8
            assert (worse == corrupted(picture, name, severity, drawn(severity))).all()
    if name == "elastic-transform":  # its published severities do not rise: 1 and 2 bend the whole, 3 to 5 small parts
        return
    large = ndimage.zoom(PICTURE, (1, 5, 5), order=1)
    least, most = (
        np.mean([np.abs(corrupted(large, name, s, drawn(k)).astype(float) - large).mean() for k in range(2)])
        for s in (1, 5)
    )
    assert most > least > 0


def test_names_families_and_near_misses() -> None:
    assert set(NAMES) == set(CORRUPTIONS) == {name for names in FAMILIES.values() for name in names} | set(FURTHER)
    assert named("blur, jpeg,zoom-blur") == (*FAMILIES["blur"], "jpeg")
    with pytest.raises(InputError, match="there is no corruption 'frosty'"):
        named("noise,frosty")


def test_published_constants_are_taken_as_they_are_at_their_own_sizes() -> None:
    assert severity_of("gaussian-noise", 5, 224) == Severity((0.38,), 1.0)
    assert severity_of("gaussian-noise", 5, 32) == Severity((0.10,), 1.0)
    assert severity_of("motion-blur", 1, 28) == Severity((6, 1), 28 / 32)
    assert severity_of("motion-blur", 1, 448) == Severity((10, 3), 2.0)
    assert severity_of("jpeg", 3, 84).numbers == (58,)  # sqrt(32 * 224) = 84.7
    assert severity_of("jpeg", 3, 85).numbers == (15,)


def test_noise_has_its_moments() -> None:
    grey = np.full((1, 200, 200), 102, np.uint8)
    sides = {name: corrupted(grey, name, 1, drawn()).astype(float) / 255 for name in CORRUPTIONS if "noise" in name}
    assert sides["gaussian-noise"].std() == pytest.approx(0.08, rel=0.02)
    assert sides["speckle-noise"].std() == pytest.approx(0.4 * 0.15, rel=0.02)
    assert sides["shot-noise"].std() == pytest.approx(math.sqrt(0.4 / 60), rel=0.02)
    impulses = sides["impulse-noise"]
    assert (impulses != 0.4).mean() == pytest.approx(0.03, rel=0.1)
    assert (impulses == 1).sum() == pytest.approx((impulses == 0).sum(), rel=0.15)
    for name in ("gaussian-noise", "shot-noise", "speckle-noise"):
        assert sides[name].mean() == pytest.approx(0.4, abs=0.002)


def test_defocus_is_a_disk_and_zoom_the_mean_of_enlarged_centres() -> None:
    at = np.arange(-8, 9)
    disk = (at[:, None] ** 2 + at**2 <= 9).astype(float)
    blurred = defocus_blur(X, Severity((3, 0.1), 1.0), drawn())
    wanted = np.stack([ndimage.convolve(plane, disk / disk.sum(), mode="mirror") for plane in X])
    np.testing.assert_allclose(blurred, wanted, atol=1e-12)
    square = X[:, :40, :40]
    factors = np.arange(1, 1.11, 0.01)
    total = square.copy()
    for factor in factors:
        side = math.ceil(40 / factor)
        top = (40 - side) // 2
        large = ndimage.zoom(square[:, top : top + side, top : top + side], (1, factor, factor), order=1)
        cut = (large.shape[1] - 40) // 2
        total += large[:, cut : cut + 40, cut : cut + 40]
        np.testing.assert_allclose(enlarged(square, factor), large[:, cut : cut + 40, cut : cut + 40], atol=1e-12)
    np.testing.assert_allclose(
        zoom_blur(square, Severity((1.11, 0.01), 1.0), drawn()), total / (len(factors) + 1), atol=1e-12
    )


def test_motion_is_half_a_gaussian_along_its_line() -> None:
    point = np.zeros((1, 21, 21))
    point[0, 10, 10] = 1
    weights = np.exp(-(np.arange(7) ** 2) / (2 * 2.0**2))
    weights /= weights.sum()
    for angle, way in ((0, (0, -1)), (90, (-1, 0)), (-90, (1, 0))):
        blurred = along_line(point, 3, 2.0, angle)
        for step, weight in enumerate(weights):
            assert blurred[0, 10 + step * way[0], 10 + step * way[1]] == pytest.approx(weight)
        assert blurred.sum() == pytest.approx(1)
    blurred = motion_blur(X, Severity((10, 3), 0.5), drawn())
    np.testing.assert_allclose(blurred, along_line(X, 5, 1.5, drawn().uniform(-45, 45)))


def test_glass_shows_pixels_nearby_as_the_script_does() -> None:
    ramp = np.arange(900, dtype=float).reshape(1, 30, 30)
    shown = glass_blur(ramp, Severity((1e-6, 2, 2), 1.0), drawn())
    script, random = ramp[0, :, :, None].repeat(3, 2), drawn()
    for _ in range(2):
        steps = iter(random.integers(-2, 2, (26 * 26, 2)).tolist())
        for h in range(28, 2, -1):
            for w in range(28, 2, -1):
                down, right = next(steps)
                script[h, w], script[h + down, w + right] = script[h + down, w + right], script[h, w]
    np.testing.assert_array_equal(shown[0], script[:, :, 0])
    assert (shown[0] != ramp[0]).mean() > 0.5


def test_brightness_and_saturation_are_those_of_hsv() -> None:
    pixels = PICTURE[:, :6, :6].astype(float) / 255
    pixels[:, 0, 0], pixels[:, 0, 1] = 0.0, 0.5
    for name, change in (
        ("brightness", lambda h, s, v: (h, s, min(v + 0.1, 1))),
        ("saturate", lambda h, s, v: (h, min(max(s * 5 + 0.1, 0), 1), v)),
    ):
        severity = Severity((0.1,), 1) if name == "brightness" else Severity((5, 0.1), 1)
        got = CORRUPTIONS[name](pixels, severity, drawn())
        wanted = np.array(
            [colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*pixel))) for pixel in pixels.reshape(3, -1).T]
        )
        np.testing.assert_allclose(got.reshape(3, -1).T, wanted, atol=1e-12)
    grey = pixels[:1]
    np.testing.assert_allclose(brightness(grey, Severity((0.1,), 1), drawn()), np.minimum(grey + 0.1, 1))
    assert (CORRUPTIONS["saturate"](grey, Severity((5, 0.1), 1), drawn()) == grey).all()


def test_fog_and_snow_are_laid_over_as_stated() -> None:
    haze = plasma(64, 2.0, drawn())[:40, :48]
    assert (haze.min(), haze.max()) >= (0, 0.5)
    most = X.max()
    np.testing.assert_allclose(fog(X, Severity((1.5, 2.0), 1), drawn()), (X + 1.5 * haze) * most / (most + 1.5))
    whole = plasma(4, 3.0, drawn())
    random, field = drawn(), np.zeros((4, 4))
    for step, amplitude in ((4, 100.0), (2, 100 / 3)):
        half = step // 2

        def middle(*places: tuple[int, int]) -> float:
            return sum(field[r % 4, c % 4] for r, c in places) / 4

        for first, around in (
            ((half, half), ((-half, -half), (-half, half), (half, -half), (half, half))),
            ((0, half), ((-half, 0), (half, 0), (0, -half), (0, half))),
            ((half, 0), ((-half, 0), (half, 0), (0, -half), (0, half))),
        ):
            places = [(r, c) for r in range(first[0], 4, step) for c in range(first[1], 4, step)]
            noise = random.uniform(-amplitude, amplitude, len(places)) * amplitude
            for (r, c), one in zip(places, noise):
                field[r, c] = middle(*((r + a, c + b) for a, b in around)) + one
    np.testing.assert_allclose(whole, (field - field.min()) / (field - field.min()).max())
    quiet = snow(X, Severity((0, 1e-9, 1, 0.5, 2, 1, 0.7), 1), drawn())  # no flake reaches 0.5
    grey = 0.299 * X[0] + 0.587 * X[1] + 0.114 * X[2]
    np.testing.assert_allclose(quiet, 0.7 * X + 0.3 * np.maximum(X, 1.5 * grey + 0.5))


@pytest.mark.parametrize(("side", "severity"), [(224, 1), (224, 3), (224, 5), (32, 2), (32, 4)])
def test_spatter_is_that_of_the_benchmark_s_script(side: int, severity: int) -> None:
    """Its steps as it takes them: single numbers, rows x columns x channels, the blur of scikit-image."""
    picture = ndimage.zoom(X[:, :40, :40], (1, side / 40, side / 40), order=1).clip(0, 1)
    c = severity_of("spatter", severity, side).numbers
    layer = gaussian(drawn().normal(c[0], c[1], (side, side)), sigma=c[2])
    layer[layer < c[3]] = 0
    x = picture.transpose(1, 2, 0).astype(np.float32)
    if c[5]:
        m = gaussian(np.where(layer > c[3], 1, 0).astype(np.float32), sigma=c[4])
        m[m < 0.8] = 0
        wanted = x * (1 - m[..., None]) + np.array([63, 42, 20]) / 255 * m[..., None]
    else:
        wet = (layer * 255).astype(np.uint8)
        apart = cv2.distanceTransform(255 - cv2.Canny(wet, 50, 150), cv2.DIST_L2, 5)
        _, apart = cv2.threshold(apart, 20, 20, cv2.THRESH_TRUNC)
        even = cv2.equalizeHist(cv2.blur(apart, (3, 3)).astype(np.uint8))
        raised = cv2.filter2D(even, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float32))
        m = wet * cv2.blur(raised, (3, 3)).astype(np.float32)
        wanted = x + (m / m.max() * c[4])[..., None] * np.array([175, 238, 238]) / 255
    got = CORRUPTIONS["spatter"](picture, severity_of("spatter", severity, side), drawn())
    np.testing.assert_allclose(got, wanted.transpose(2, 0, 1), atol=1e-5)
    assert np.abs(got - picture).max() > 0.2
    grey = CORRUPTIONS["spatter"](picture[:1], severity_of("spatter", severity, side), drawn())
    assert grey.shape == (1, side, side)


def test_pixelate_and_jpeg_are_pillow_s_and_contrast_goes_to_the_mean() -> None:
    image = Image.fromarray(PICTURE.transpose(1, 2, 0))
    small = image.resize((int(48 * 0.95), int(40 * 0.95)), Image.Resampling.BOX)
    blocks = np.asarray(small.resize((48, 40), Image.Resampling.BOX)).transpose(2, 0, 1)
    assert (corrupted(PICTURE, "pixelate", 1, drawn()) == blocks).all()
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=40)
    assert (corrupted(PICTURE, "jpeg", 5, drawn()) == np.asarray(Image.open(stream)).transpose(2, 0, 1)).all()
    pixels = PICTURE / 255
    mean = pixels.mean((1, 2), keepdims=True)
    wanted = np.rint(255 * np.clip((pixels - mean) * 0.15 + mean, 0, 1))
    assert (corrupted(PICTURE, "contrast", 5, drawn()) == wanted).all()


def test_elastic_maps_three_points_to_where_they_are_moved() -> None:
    np.testing.assert_allclose(elastic_transform(X, Severity((0, 0, 0), 1), drawn()), X, atol=1e-12)
    rows, columns = np.mgrid[:40, :48].astype(float)
    moved = elastic_transform(np.stack([rows, columns]), Severity((0, 0, 2.0), 1), drawn())
    points = np.array([20, 24]) + 13 * np.array([[1, 1], [1, -1], [-1, -1]])
    to = points + drawn().uniform(-2, 2, (3, 2))
    for point, (row, column) in zip(points, to):
        found = [ndimage.map_coordinates(plane, [[row], [column]], order=1)[0] for plane in moved]
        np.testing.assert_allclose(found, point, atol=1e-9)
