"""Trustworthiness and continuity by scikit-learn's own, by the definition on a map by chance, and of what is sampled."""

import numpy as np
import pytest

from onnxray.methods.features.parts import map_quality as measured
from onnxray.methods.features.parts.map_quality import map_quality
from onnxray.methods.features.parts.nearest import nearest
from onnxray.methods.features.parts.votes import majority, shared_labels


def near(codes: np.ndarray, k: int, metric: str = "euclidean") -> np.ndarray:
    return nearest(codes, codes, k, metric, own=np.arange(len(codes))).places  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("k", [1, 5, 12])
def test_they_are_those_of_scikit_learn(metric: str, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    manifold = pytest.importorskip("sklearn.manifold")
    monkeypatch.setattr(measured, "_BLOCK", 64)
    monkeypatch.setattr(measured, "_ROWS", 37)
    random = np.random.default_rng(k)
    codes, points = (random.standard_normal((150, wide)).astype(np.float32) for wide in (20, 2))
    codes[:, :2] += points
    found = map_quality(codes, points, near(codes, k, metric), near(points, k), metric)  # type: ignore[arg-type]
    assert found.trustworthiness == pytest.approx(manifold.trustworthiness(codes, points, n_neighbors=k, metric=metric))
    unit = codes / np.linalg.norm(codes, axis=1, keepdims=True) if metric == "cosine" else codes
    assert found.continuity == pytest.approx(manifold.trustworthiness(points, unit, n_neighbors=k))
    assert (found.asked, found.reason) == (150, None)


def test_a_map_that_is_the_codes_is_right_and_one_by_chance_half() -> None:
    random = np.random.default_rng(0)
    codes, points = (random.standard_normal((400, 2)).astype(np.float32) for _ in range(2))
    same = map_quality(codes, codes, near(codes, 5), near(codes, 5), "euclidean")
    assert (same.trustworthiness, same.continuity) == (1, 1)
    chance = map_quality(codes, points, near(codes, 5), near(points, 5), "euclidean")
    assert chance.trustworthiness == pytest.approx(0.5, abs=0.05)
    assert chance.continuity == pytest.approx(0.5, abs=0.05)


def test_of_many_pictures_some_are_asked_and_of_few_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((600, 5)).astype(np.float32)
    points = codes[:, :2].copy()
    whole = map_quality(codes, points, near(codes, 5), near(points, 5), "euclidean")
    monkeypatch.setattr(measured, "_ASKED", 200)
    some = map_quality(codes, points, near(codes, 5), near(points, 5), "euclidean")
    assert (whole.asked, some.asked) == (600, 200)
    assert some.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.02)
    few = map_quality(codes[:10], points[:10], near(codes[:10], 5), near(points[:10], 5), "euclidean")
    assert (few.trustworthiness, few.continuity) == (None, None)
    assert "half of the 10 pictures" in str(few.reason)


def test_labels_of_the_nearest_are_counted_and_a_tie_is_the_nearests() -> None:
    places = np.array([[1, 2, 3], [2, 3, 0], [0, 1, 3], [0, 1, 2]])
    labels = ["a", "b", "a", None]
    shares, right = shared_labels(places, labels, labels)
    assert shares == [0.5, 0.0, 0.5]
    assert right == [False, False, True]
    assert majority(["b", "a", "a", "b"]) == "b"
