"""CKA by tiles is the plain formula of all pictures at once, and has the properties that it is used for."""

import numpy as np
import pytest

from onnxray.assess.models.kernel_alignment import cka, procrustes, root_of_gram

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((60, 20)).astype(np.float32)
Y = (X @ RANDOM.standard_normal((20, 12)) + RANDOM.standard_normal((60, 12))).astype(np.float32)


def restated(x: np.ndarray, y: np.ndarray) -> float:
    """CKA with the estimate of HSIC of Song et al. 2012, equation 5, matrix by matrix in float64."""

    def hsic(one: np.ndarray, other: np.ndarray) -> float:
        n = len(one)
        a, b = (np.array(z.astype(np.float64) @ z.astype(np.float64).T) for z in (one, other))
        np.fill_diagonal(a, 0)
        np.fill_diagonal(b, 0)
        ones = np.ones(n)
        middle = (ones @ a @ ones) * (ones @ b @ ones) / ((n - 1) * (n - 2))
        return float((np.trace(a @ b) + middle - 2 / (n - 2) * (ones @ a @ b @ ones)) / (n * (n - 3)))

    return hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y))


def test_it_is_the_plain_formula_in_float64() -> None:
    matrix = cka([X, Y], [Y, X, X**2])
    for i, x in enumerate((X, Y)):
        for j, y in enumerate((Y, X, X**2)):
            assert matrix[i, j] == pytest.approx(restated(x, y), abs=1e-9)


@pytest.mark.parametrize("block", [1, 7, 59, 1000])
def test_tiles_of_any_size_give_what_all_pictures_together_give(block: int) -> None:
    np.testing.assert_allclose(cka([X, Y], [X, Y], block=block), cka([X, Y], [X, Y], block=60), atol=1e-12)


def test_it_is_1_with_itself_and_unchanged_by_rotation_scale_and_shift() -> None:
    rotation = np.linalg.qr(RANDOM.standard_normal((20, 20)))[0]
    np.testing.assert_allclose(cka([X], [X, 5 * X @ rotation + 3]), 1, atol=1e-6)
    assert cka([X], [Y])[0, 0] == pytest.approx(cka([-0.01 * X @ rotation + 1], [Y])[0, 0], abs=1e-6)
    far = (X.astype(np.float64) + 1e6) @ rotation  # a mean that is a million times the deviation
    assert cka([far], [Y])[0, 0] == pytest.approx(cka([X], [Y])[0, 0], abs=1e-6)
    turned = RANDOM.standard_normal((20, 20))  # not a rotation: CKA tells
    assert cka([X], [X @ turned])[0, 0] < 0.95


def test_of_independent_noise_it_is_0_on_average_where_the_biased_one_is_not() -> None:
    noise = RANDOM.standard_normal((2, 40, 30, 200))
    found = [cka([one], [other])[0, 0] for one, other in zip(*noise)]
    assert abs(np.mean(found)) < 0.05
    assert min(found) < 0 < max(found)

    def biased(x: np.ndarray, y: np.ndarray) -> float:
        x, y = x - x.mean(0), y - y.mean(0)
        return float(np.linalg.norm(x.T @ y) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y))

    assert np.mean([biased(one, other) for one, other in zip(*noise)]) > 0.5


def test_a_layer_that_says_the_same_of_all_has_none() -> None:
    still = np.full((60, 5), 0.1, np.float32)
    assert np.isnan(cka([still, X], [X, still])).tolist() == [[True, True], [False, True]]
    assert root_of_gram(still) is None
    assert procrustes(root_of_gram(X), None) is None
    with pytest.raises(ValueError, match="3 pictures"):
        cka([X[:3]], [Y[:3]])


def test_procrustes_is_the_sum_of_singular_values() -> None:
    one, other = (z.astype(np.float64) - z.mean(0) for z in (X, Y))
    one, other = one / np.linalg.norm(one), other / np.linalg.norm(other)
    expected = np.linalg.svd(one.T @ other, compute_uv=False).sum()
    assert procrustes(root_of_gram(X), root_of_gram(Y)) == pytest.approx(expected, abs=1e-6)
    rotation = np.linalg.qr(RANDOM.standard_normal((20, 20)))[0]
    assert procrustes(root_of_gram(X), root_of_gram(7 * X @ rotation - 2)) == pytest.approx(1, abs=1e-6)
