"""Norms, SSIM and PASS, restated in plain numpy."""

import json
import math

import numpy as np
import pytest
from skimage import data
from skimage.metrics import structural_similarity
from skimage.transform import ProjectiveTransform
from skimage.transform import warp as resample

from onnxray.errors import InputError
from onnxray.images.distances import PassScore, l2, linf, perceptual_similarity, ssim, warp
from onnxray.methods.lots.summary import quantile_with_infinities

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
SIDE = 128


def colour(side: int = SIDE) -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[30 : 30 + side, 160 : 160 + side].transpose(2, 0, 1))


def motion(degrees: float, shift: tuple[float, float], side: int = SIDE) -> np.ndarray:
    """A rotation about the middle of the picture, then a shift, as a homography in pixels."""
    centre, angle = (side - 1) / 2, math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    back = np.array([[1, 0, -centre], [0, 1, -centre], [0, 0, 1]])
    there = np.array([[1, 0, centre + shift[0]], [0, 1, centre + shift[1]], [0, 0, 1]])
    return there @ rotation @ back


def moved(matrix: np.ndarray, side: int = SIDE, top: int = 100, left: int = 190) -> tuple[np.ndarray, np.ndarray]:
    """Two views (1, side, side) of one photograph: what the first shows at p, the second shows at matrix @ p."""
    photograph = data.camera().astype(np.float64)
    corner = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]])
    view = ProjectiveTransform(corner @ np.linalg.inv(matrix))
    second = resample(photograph, view, output_shape=(side, side), order=3, preserve_range=True)
    first = photograph[top : top + side, left : left + side]
    return first[None].astype(np.uint8), np.rint(second[None]).clip(0, 255).astype(np.uint8)


def displacement(found: np.ndarray, known: np.ndarray, side: int = SIDE) -> float:
    """How many pixels apart two homographies put a picture's corners, at most."""
    corners = np.array([[0, 0, 1], [side - 1, 0, 1], [0, side - 1, 1], [side - 1, side - 1, 1]]).T
    a, b = np.asarray(found) @ corners, np.asarray(known) @ corners
    return float(np.abs(a[:2] / a[2] - b[:2] / b[2]).max())


def ssim_by_hand(a: np.ndarray, b: np.ndarray) -> float:
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    taps /= taps.sum()
    weights = np.outer(taps, taps)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    channels = []
    for p, q in zip(a.astype(np.float64), b.astype(np.float64), strict=True):
        p, q = (np.lib.stride_tricks.sliding_window_view(plane, (11, 11)) for plane in (p, q))
        mean_p, mean_q = (p * weights).sum((2, 3)), (q * weights).sum((2, 3))
        dp, dq = p - mean_p[..., None, None], q - mean_q[..., None, None]
        var_p, var_q, cov = ((u * v * weights).sum((2, 3)) for u, v in ((dp, dp), (dq, dq), (dp, dq)))
        similarity = (2 * mean_p * mean_q + c1) * (2 * cov + c2)
        channels.append((similarity / ((mean_p**2 + mean_q**2 + c1) * (var_p + var_q + c2))).mean())
    return float(np.mean(channels))


def test_norms_do_not_wrap_around_in_uint8():
    a = np.array([[[0, 250]], [[3, 7]], [[0, 0]]], dtype=np.uint8)
    b = np.array([[[4, 247]], [[3, 7]], [[0, 12]]], dtype=np.uint8)
    assert l2(a, b) == l2(b, a) == 13.0
    assert linf(a, b) == linf(b, a) == 12.0


@pytest.mark.parametrize("difference", [0.0, 0.25, -0.25, -3.5])
def test_norms_of_less_than_a_grey_level(difference):
    a = np.full((3, 2, 2), 100.0)
    assert linf(a, a + difference) == linf(a + difference, a) == abs(difference)
    assert l2(a, a + difference) == pytest.approx(abs(difference) * np.sqrt(12))
    assert linf(a[:, :0], a[:, :0]) == l2(a[:, :0], a[:, :0]) == 0


def test_norms_refuse_to_broadcast():
    for norm in (l2, linf):
        with pytest.raises(InputError, match="one shape"):
            norm(np.zeros((3, 2, 2)), np.zeros((1, 2, 2)))


@pytest.mark.parametrize("shape", [(1, 11, 11), (1, 28, 28), (3, 17, 40)])
def test_ssim_is_wangs(shape):
    rng = np.random.default_rng(3)
    a = rng.integers(0, 256, shape).astype(np.uint8)
    b = np.clip(a + rng.normal(0, 40, shape), 0, 255)
    assert 0.3 < ssim(a, b) < 0.99
    assert ssim(a, b) == pytest.approx(ssim_by_hand(a, b), abs=1e-10)
    assert ssim(a, a) == 1.0


@pytest.mark.parametrize("score", [ssim, perceptual_similarity])
def test_what_cannot_be_scored_is_refused(score):
    good = np.zeros((1, 11, 11))
    with pytest.raises(InputError, match="10x11 pixels"):
        score(np.zeros((1, 11, 10)), np.zeros((1, 11, 10)))
    with pytest.raises(InputError, match="one shape"):
        score(good, np.zeros((3, 11, 11)))
    with pytest.raises(InputError, match="not finite"):
        score(good, np.full((1, 11, 11), np.nan))
    for shape in ((11, 11), (11, 11, 3), (2, 11, 11)):
        with pytest.raises(InputError, match="expected"):
            score(np.zeros(shape), np.zeros(shape))


@pytest.mark.parametrize("image", [colour(), colour()[:1], np.full((1, 11, 11), 7.0), np.zeros((3, 20, 11), np.uint8)])
def test_pass_of_an_image_with_itself_is_exactly_one(image):
    assert perceptual_similarity(image, image.copy()) == PassScore(
        score=1.0, ssim=1.0, aligned=True, homography=IDENTITY, correlation=None, reason=None
    )


@pytest.mark.parametrize(
    ("degrees", "shift"),
    [(0.0, (3.0, -2.0)), (2.0, (1.0, 1.0)), (-4.0, (0.0, 2.5)), (0.0, (0.5, 0.25))],
)
def test_pass_forgives_a_change_of_pose(degrees, shift):
    known = motion(degrees, shift)
    origin, perturbed = moved(known)
    found = perceptual_similarity(perturbed, origin)
    assert found.aligned
    assert found.reason is None
    assert found.ssim == ssim(perturbed, origin) < 0.95
    assert found.score > max(0.96, found.ssim + 0.02)
    assert found.correlation is not None
    assert found.correlation > 0.99
    # A tenth of a pixel; the other direction would be off by twice the motion.
    assert displacement(found.homography, known) < 0.1 < displacement(np.linalg.inv(found.homography), known)


def test_the_perturbed_image_is_warped_onto_the_origin():
    # Pixels that only the perturbed image has (its border) are stretched or dropped; the origin's all count.
    origin, perturbed = moved(motion(3.0, (9.0, 0.0)))
    found = perceptual_similarity(perturbed, origin)
    assert found.score == ssim(warp(perturbed, found.homography), origin)
    swapped = ssim(warp(origin, found.homography), perturbed)
    assert swapped < found.score - 0.3
    assert perceptual_similarity(origin, perturbed).score != found.score


def test_warp_takes_from_where_the_homography_points():
    image = np.arange(12.0).reshape(1, 3, 4)
    shift = [[1, 0, 1], [0, 1, 0.5], [0, 0, 1]]
    expected = np.array([[[3, 4, 5, 5], [7, 8, 9, 9], [9, 10, 11, 11]]], dtype=np.float64)
    assert np.array_equal(warp(image, shift), expected)
    assert np.array_equal(warp(image, IDENTITY), image)
    for wrong in (np.eye(2), np.full((3, 3), np.nan)):
        with pytest.raises(InputError, match="3x3"):
            warp(image, wrong.tolist())


def test_anybody_can_compute_the_score_again_from_the_document():
    origin = colour()
    noise = np.random.default_rng(1).normal(0, 4, origin.shape)
    perturbed = np.rint(warp(origin, motion(1.5, (1.0, -2.0))) + noise).clip(0, 255).astype(np.uint8)
    found = perceptual_similarity(perturbed, origin)
    assert found.aligned
    matrix = np.array(json.loads(json.dumps(found.homography)))
    planes = [
        resample(plane.astype(np.float64), ProjectiveTransform(matrix), order=1, mode="edge", preserve_range=True)
        for plane in perturbed
    ]
    again = [
        structural_similarity(
            p, q.astype(np.float64), gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
        for p, q in zip(planes, origin, strict=True)
    ]
    assert found.score == pytest.approx(np.mean(again), abs=1e-14)
    assert found.score == pytest.approx(ssim_by_hand(np.stack(planes), origin), abs=1e-10)


def test_colour_is_aligned_by_its_luma_and_scored_by_channel():
    origin = colour()
    known = motion(2.0, (2.0, -1.0))
    perturbed = np.rint(warp(origin, np.linalg.inv(known)))
    found = perceptual_similarity(perturbed, origin)
    assert displacement(found.homography, known) < 0.3
    warped = warp(perturbed, found.homography)
    assert found.score == pytest.approx(np.mean([ssim(warped[[c]], origin[[c]]) for c in range(3)]), abs=1e-12)
    # Red and green in equal luma: nothing to align by, although the picture is not of one colour.
    stripes = np.zeros((3, 16, 16))
    stripes[0, :, ::2], stripes[1, :, 1::2] = 100.0, 100.0 * 0.299 / 0.587
    flat = perceptual_similarity(stripes[:, :, ::-1], stripes)
    assert flat.reason is not None
    assert "one grey level" in flat.reason


def test_a_constant_image_is_compared_as_it_is():
    origin, constant = colour(64), np.full((3, 64, 64), 90, np.uint8)
    for pair in ((constant, origin), (origin, constant)):
        found = perceptual_similarity(*pair)
        assert not found.aligned
        assert found.homography == IDENTITY
        assert found.correlation is None
        assert found.reason is not None
        assert "one grey level" in found.reason
        assert found.score == found.ssim == ssim(*pair)


def test_where_opencv_gives_up_the_images_are_compared_as_they_are():
    origin = colour()
    found = perceptual_similarity(255 - origin, origin)
    assert (found.aligned, found.homography, found.score) == (False, IDENTITY, found.ssim)
    assert found.reason is not None
    assert found.reason.startswith("OpenCV finds no alignment: The algorithm stopped")


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        ([[1, 0, 0], [0, 1, 0], [0, float("nan"), 1]], "not finite"),
        ([[1, 0, 0], [0, 1, 0], [-0.1, 0, 1]], "horizon"),
        ([[-1, 0, 0], [0, -1, 0], [0, 0, -1]], "horizon"),
        ([[0.1, 0, 0], [0, 0.1, 0], [0, 0, 1]], "areas change 0.01-fold"),
        ([[-1, 0, 127], [0, 1, 0], [0, 0, 1]], "areas change -1-fold"),
        ([[1, 1, 0], [1, 1, 0], [0, 0, 1]], "areas change 0-fold"),
        ([[1, 0, 0], [0, 1, 0], [0.1, 0, 1]], "areas change 0.0392-fold"),  # x and y divided by 1 + x / 10
    ],
)
def test_a_degenerate_homography_is_not_used(monkeypatch, matrix, reason):
    monkeypatch.setattr("cv2.findTransformECC", lambda *args: (0.5, np.array(matrix, np.float32)))
    found = perceptual_similarity(colour()[::-1], colour())
    assert (found.aligned, found.homography, found.score) == (False, IDENTITY, found.ssim)
    assert found.reason is not None
    assert reason in found.reason


def test_an_alignment_that_lowers_the_similarity_is_not_used(monkeypatch):
    shift = np.array([[1, 0, 5], [0, 1, 0], [0, 0, 1]], np.float32)
    monkeypatch.setattr("cv2.findTransformECC", lambda *args: (0.5, shift))
    origin = colour()
    perturbed = np.clip(origin + np.random.default_rng(0).normal(0, 5, origin.shape), 0, 255)
    found = perceptual_similarity(perturbed, origin)
    assert (found.aligned, found.homography, found.score) == (False, IDENTITY, found.ssim)
    assert found.reason is not None
    assert found.reason.startswith("alignment lowers the SSIM from")


def test_a_homography_of_another_scale_is_the_same_homography(monkeypatch):
    known = motion(2.0, (1.0, 1.0))
    origin, perturbed = moved(known)
    monkeypatch.setattr("cv2.findTransformECC", lambda *args: (0.5, 2.0 * known))
    found = perceptual_similarity(perturbed, origin)
    assert found.aligned
    assert found.homography[2][2] == 1.0
    assert np.allclose(found.homography, known, rtol=0, atol=1e-12)


def test_another_signature_of_opencv_is_not_taken_for_a_failed_alignment(monkeypatch):
    import cv2

    real = cv2.findTransformECC
    monkeypatch.setattr("cv2.findTransformECC", lambda *args: real(*args, 1, 2, 3))
    with pytest.raises(cv2.error, match="Overload resolution failed"):
        perceptual_similarity(colour()[::-1], colour())


@pytest.mark.parametrize("size", [(11, 11), (11, 60), (28, 28)])
def test_small_pictures(size):
    rng = np.random.default_rng(5)
    origin = rng.integers(0, 256, (1, *size)).astype(np.uint8)
    perturbed = np.clip(origin + rng.normal(0, 10, origin.shape), 0, 255)
    found = perceptual_similarity(perturbed, origin)
    assert ssim(perturbed, origin) <= found.score < 1.0


def test_neither_threads_nor_memory_change_the_score():
    import cv2

    origin, perturbed = moved(motion(3.0, (2.0, 1.0)))
    threads = cv2.getNumThreads()
    try:
        scores = set()
        for count in (1, 2, 7):
            cv2.setNumThreads(count)
            scores.add(perceptual_similarity(perturbed, np.pad(origin, ((0, 0), (0, 0), (0, count)))[..., :-count]))
    finally:
        cv2.setNumThreads(threads)
    assert len(scores) == 1


@pytest.mark.parametrize("q", [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
def test_quantiles_of_finite_values_are_numpys(q):
    values = np.random.default_rng(2).normal(size=14)
    assert quantile_with_infinities(values, q) == pytest.approx(np.quantile(values, q), abs=1e-14)
    assert quantile_with_infinities([4.5], q) == 4.5


def test_quantiles_count_what_was_not_reached():
    inf = float("inf")
    assert quantile_with_infinities([3.0, inf, 1.0], 0.5) == 3.0
    assert quantile_with_infinities([3.0, inf, 1.0], 0.25) == 2.0
    assert quantile_with_infinities([3.0, inf, 1.0], 0.75) == inf
    assert quantile_with_infinities([1.0, 2.0, inf, inf], 0.5) == inf
    assert quantile_with_infinities([inf, inf], 0.5) == inf
    assert quantile_with_infinities([0.9, -inf, 0.8], 0.5) == 0.8
    assert quantile_with_infinities([0.9, -inf, 0.8], 0.25) == -inf
    # numpy's own answer here is NaN.
    with np.errstate(invalid="ignore"):
        assert np.isnan(np.quantile([1.0, inf, inf], 0.75))
    assert quantile_with_infinities([1.0, inf, inf], 0.75) == inf


def test_an_exact_rank_takes_no_infinite_neighbour_in():
    values = [float(i) for i in range(8)] + [float("inf")] * 18
    assert 0.28 * 25 > 7.0
    assert quantile_with_infinities(values, 0.28) == 7.0


@pytest.mark.parametrize(
    ("values", "q"),
    [([], 0.5), ([1.0, float("nan")], 0.5), ([float("inf"), float("-inf")], 0.5), ([1.0], 1.5), ([1.0], float("nan"))],
)
def test_quantiles_refuse(values, q):
    with pytest.raises(InputError):
        quantile_with_infinities(values, q)
