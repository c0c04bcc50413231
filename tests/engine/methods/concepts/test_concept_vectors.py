"""The plane that parts two sets: the optimum of the loss that is stated, whatever the layer's size."""

import numpy as np
import pytest

from onnxray.methods.concepts.concept_vectors import concept_vector


def sets(numbers: int, apart: float, count: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(numbers)
    way = random.standard_normal(numbers)
    way /= np.linalg.norm(way)
    one, other = (random.standard_normal((count, numbers)) for _ in range(2))
    return one + apart * way, other - apart * way, way


@pytest.mark.parametrize("numbers", [2, 20, 3000])
def test_the_direction_is_the_optimum_of_the_loss(numbers: int) -> None:
    """The loss over w itself, by plain gradient descent with momentum, on the same two thirds."""
    one, other, _ = sets(numbers, 1.0)
    found = concept_vector(one, other, np.random.default_rng(5))
    random = np.random.default_rng(5)
    parts = []
    for array in (one, other):
        order = random.permutation(len(array))
        parts.append(array[order[10:]])
    h, y = np.concatenate(parts), np.repeat([1.0, -1.0], 20)
    h = h - h.mean(0)
    h /= np.sqrt((h**2).sum(1).mean())
    w, c, v, u = np.zeros(numbers), 0.0, np.zeros(numbers), 0.0
    for _ in range(20_000):
        pull = -y / (1 + np.exp(y * (h @ w + c))) / len(y)
        v, u = 0.95 * v - 0.5 * (pull @ h + 0.01 * w), 0.95 * u - 0.5 * pull.sum()
        w, c = w + v, c + u
    np.testing.assert_allclose(found.direction, w / np.linalg.norm(w), atol=1e-5)
    assert np.linalg.norm(found.direction) == pytest.approx(1)


def test_it_points_at_the_concept_and_the_accuracy_is_of_held_out_pictures() -> None:
    one, other, way = sets(10, 3.0)
    found = concept_vector(one, other, np.random.default_rng(0))
    assert found.direction @ way > 0.8
    assert found.accuracy == 1
    same = [concept_vector(*sets(200, 0.0)[:2], np.random.default_rng(seed)).accuracy for seed in range(40)]
    assert np.mean(same) == pytest.approx(0.5, abs=0.1)  # though what is learnt from is parted without a fault


def test_the_scale_of_a_layer_does_not_count() -> None:
    one, other, _ = sets(10, 1.0)
    found = [concept_vector(k * one + 7, k * other + 7, np.random.default_rng(0)).direction for k in (1.0, 1000.0)]
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_sets_that_are_the_same_have_no_direction() -> None:
    found = concept_vector(np.ones((9, 4)), np.ones((9, 4)), np.random.default_rng(0))
    assert not found.direction.any()
