"""Nearest neighbours are those of a plain float64 restatement, whatever the blocks, duplicates and ties."""

import numpy as np
import pytest

from onnxray.methods.features.parts import nearest as searching
from onnxray.methods.features.parts.nearest import distances_to, nearest


def restated(queries: np.ndarray, codes: np.ndarray, metric: str) -> np.ndarray:
    q, r = queries.astype(np.float64), codes.astype(np.float64)
    if metric == "euclidean":
        return np.stack([np.sqrt(np.square(r - one).sum(1)) for one in q])
    lengths = [np.sqrt(np.square(a).sum(1)) for a in (q, r)]
    return 1 - q @ r.T / np.outer(*(np.where(one > 0, one, 1) for one in lengths))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("_BLOCK", 64), ("_FIRST", 32), ("_MEASURED", 20), ("_MOST_HELD", 500)):
        monkeypatch.setattr(searching, name, size)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("count", "numbers", "k"), [(300, 7, 5), (130, 300, 3), (65, 2, 40)])
def test_they_are_those_of_the_definition(metric: str, same: bool, count: int, numbers: int, k: int) -> None:
    random = np.random.default_rng(count)
    codes = (random.standard_normal((count, numbers)) + 3).astype(np.float32)
    queries = codes if same else (random.standard_normal((90, numbers)) + 3).astype(np.float32)
    own = np.arange(count) if same else None
    found = nearest(queries, codes, k, metric, own=own)  # type: ignore[arg-type]
    far = restated(queries, codes, metric)
    if same:
        np.fill_diagonal(far, np.inf)
    expected = np.argsort(far, 1, kind="stable")[:, :k]
    np.testing.assert_array_equal(found.places, expected)
    np.testing.assert_allclose(found.distances, np.take_along_axis(far, expected, 1), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_near_duplicates_keep_their_distance(metric: str) -> None:
    """Codes of length 10,000 that are 0.01 apart: a product in float32 tells them apart by nothing."""
    random = np.random.default_rng(0)
    one = random.standard_normal((150, 400)) * 20 + 500
    codes = np.concatenate([one, one + 1e-2 * random.standard_normal(one.shape)]).astype(np.float32)
    found = nearest(codes, codes, 1, metric, own=np.arange(300))  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.places[:, 0], np.roll(np.arange(300), 150))
    far = distances_to(codes[0], codes, np.array([150]), metric)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.distances[0], far, rtol=1e-4)
    if metric == "euclidean":
        np.testing.assert_allclose(found.distances[0], np.linalg.norm(codes[0].astype(float) - codes[150]), rtol=1e-6)


def test_of_equal_distances_the_first_and_no_more_than_there_are() -> None:
    codes = np.tile(np.float32([[1, 2], [3, 4]]), (70, 1))
    found = nearest(codes, codes, 3, "euclidean", own=np.arange(140))
    np.testing.assert_array_equal(found.places[0], [2, 4, 6])
    np.testing.assert_array_equal(found.places[5], [1, 3, 7])
    assert not found.distances.any()
    few = nearest(codes[:3], codes[:3], 5, "euclidean", own=np.arange(3))
    assert few.places.shape == (3, 2)
    alone = nearest(codes[:1], codes[:1], 5, "cosine", own=np.arange(1))
    assert alone.places.shape == (1, 0)
    assert nearest(codes[:2], codes[2:3], 5, "cosine").places.tolist() == [[0], [0]]


def test_pixels_and_codes_that_are_zero() -> None:
    random = np.random.default_rng(1)
    codes = random.integers(0, 256, (200, 30)).astype(np.uint8)
    codes[7] = 0
    for metric in ("euclidean", "cosine"):
        found = nearest(codes, codes, 4, metric, own=np.arange(200))  # type: ignore[arg-type]
        assert np.isfinite(found.distances).all()
        if metric == "euclidean":
            far = restated(codes, codes, metric)
            np.fill_diagonal(far, np.inf)
            np.testing.assert_array_equal(found.places, np.argsort(far, 1, kind="stable")[:, :4])
    assert found.typical > 0
