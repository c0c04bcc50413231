"""LIME's sampling, kernel and weighted ridge fit, restated; what the figure of the fit says."""

import numpy as np
import pytest

import onnxray
from onnxray.methods.saliency.perturbation.lime import LIME, drawn, kernel, local_fit
from support import models


def test_the_first_sample_is_the_whole_and_the_rest_are_halves() -> None:
    z = drawn(5000, 8, np.random.default_rng(0))
    assert z[0].all()
    np.testing.assert_allclose(z.mean(0), 0.5, atol=0.03)
    np.testing.assert_array_equal(z, drawn(5000, 8, np.random.default_rng(0)))


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_the_kernel(distance: str) -> None:
    z = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    whole = np.ones(3)
    for row, found in zip(z.astype(float), kernel(z, distance, 0.4)):  # type: ignore[arg-type]
        if distance == "cosine":
            far = 1 - row @ whole / (np.linalg.norm(row) * np.linalg.norm(whole)) if row.any() else 1.0
        else:
            far = np.linalg.norm(row - whole)
        assert found == pytest.approx(np.exp(-(far**2) / 0.4**2))


@pytest.mark.parametrize("ridge", [0.0, 1.0, 50.0])
def test_the_fit_is_where_the_gradient_of_its_error_is_zero(ridge: float) -> None:
    random = np.random.default_rng(1)
    z, y = drawn(60, 5, random), random.standard_normal(60)
    k = kernel(z, "cosine", 0.354)
    w, c, share = local_fit(z, y, k, ridge)
    left = y - c - z @ w
    np.testing.assert_allclose(k @ left, 0, atol=1e-10)
    np.testing.assert_allclose((k * left) @ z - ridge * w, 0, atol=1e-10)
    level = (k * y).sum() / k.sum()
    assert share == pytest.approx(1 - (k * left**2).sum() / (k * (y - level) ** 2).sum())


def test_a_linear_score_is_found_again() -> None:
    random = np.random.default_rng(2)
    z, w = drawn(50, 6, random), random.standard_normal(6)
    found, intercept, share = local_fit(z, z @ w + 3, kernel(z, "euclidean", 2.0), 0.0)
    np.testing.assert_allclose(found, w, atol=1e-10)
    assert intercept == pytest.approx(3)
    assert share == pytest.approx(1)


def test_what_the_fit_does_not_account_for_is_said() -> None:
    """An exclusive or of two numbers: no line says anything of it. A constant: nothing to say."""
    text = "x (float[N,2] x) => (float[N,1] y) { a = MatMul (x, u) b = Abs (a) c = MatMul (x, s) y = Sub (b, c) }"
    weights = {"u": np.float32([[1], [-1]]), "s": np.float32([[0], [0]])}
    model = onnxray.open(models.parse(text, weights))
    item = LIME(fill="0", width=100.0)(model, np.float32([[1, 1]]), "value:y").items[0]
    assert item.numbers_["r_squared"] < 0.1
    assert item.reason is not None
    assert "of the score's variance; take more samples or fewer parts" in item.reason
    flat = onnxray.open(models.parse(text, {**weights, "u": np.float32([[0], [0]])}))
    item = LIME(fill="0")(flat, np.float32([[1, 1]]), "value:y").items[0]
    assert item.numbers_["r_squared"] is None
    assert item.reason == "the score is the same whatever parts are there, so the fit says nothing"
    assert not item.heat.any()
