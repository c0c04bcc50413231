"""Shapley values by brute force over all orders; what is drawn where there are too many coalitions."""

import itertools
import math

import numpy as np
import pytest

from onnxray.methods.saliency.perturbation.kernel_shap import drawn_coalitions, shapley_fit


def over_all_orders(values: dict[tuple[bool, ...], float], parts: int) -> np.ndarray:
    """phi_i: what i adds where it comes, mean over all orders in which the parts come."""
    found = np.zeros(parts)
    for order in itertools.permutations(range(parts)):
        z = [False] * parts
        for i in order:
            before = values[tuple(z)]
            z[i] = True
            found[i] += values[tuple(z)] - before
    return found / math.factorial(parts)


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 7])
def test_all_coalitions_give_the_shapley_values(parts: int) -> None:
    random = np.random.default_rng(parts)
    values = {z: float(random.standard_normal()) for z in itertools.product([False, True], repeat=parts)}
    present, weights = drawn_coalitions(parts, 2**parts, np.random.default_rng(0))
    assert len({tuple(z) for z in present}) == len(present) == 2**parts - 2
    ends = values[(False,) * parts], values[(True,) * parts]
    found = shapley_fit(present, np.array([values[tuple(z)] for z in present.tolist()]), weights, *ends)
    np.testing.assert_allclose(found, over_all_orders(values, parts), atol=1e-9)


def test_the_weights_are_the_kernel() -> None:
    present, weights = drawn_coalitions(6, 62, np.random.default_rng(0))
    for z, weight in zip(present, weights):
        size = int(z.sum())
        assert weight == pytest.approx(5 / (math.comb(6, size) * size * (6 - size)))


@pytest.mark.parametrize(("parts", "most"), [(12, 200), (13, 300), (30, 700), (9, 509), (20, 39)])
def test_what_is_drawn(parts: int, most: int) -> None:
    present, weights = drawn_coalitions(parts, most, np.random.default_rng(3))
    sizes = present.sum(1)
    assert len(present) <= most
    assert len(np.unique(present, axis=0)) == len(present)
    assert sizes.min() >= 1
    assert sizes.max() <= parts - 1
    own = {tuple(z): weight for z, weight in zip(present.tolist(), weights)}
    for z, weight in own.items():
        assert own[tuple(not one for one in z)] == pytest.approx(weight)  # in pairs
    assert weights.sum() == pytest.approx(sum((parts - 1) / (s * (parts - s)) for s in range(1, parts)))
    for size in range(1, parts):
        if (sizes == size).sum() == math.comb(parts, size):  # taken whole
            np.testing.assert_allclose(
                weights[sizes == size], (parts - 1) / (math.comb(parts, size) * size * (parts - size))
            )


def test_sizes_are_taken_whole_from_the_outside() -> None:
    sizes = drawn_coalitions(12, 200, np.random.default_rng(3))[0].sum(1)
    assert (sizes == 1).sum() == (sizes == 11).sum() == 12
    drawn = drawn_coalitions(20, 30, np.random.default_rng(3))[0].sum(1)
    assert (drawn == 1).sum() < 20


def test_pairs_cancel_what_two_parts_do_together() -> None:
    """Of a score of degree two, sampled pairs give the Shapley values exactly: a_i + sum_j b_ij / 2."""
    random = np.random.default_rng(5)
    linear, both = random.standard_normal(14), np.triu(random.standard_normal((14, 14)), 1)
    present, weights = drawn_coalitions(14, 400, np.random.default_rng(1))
    z = present.astype(float)
    scores = z @ linear + np.einsum("mi,ij,mj->m", z, both, z) + 2
    found = shapley_fit(present, scores, weights, 2.0, 2 + linear.sum() + both.sum())
    np.testing.assert_allclose(found, linear + (both + both.T).sum(1) / 2, atol=1e-9)
    assert found.sum() == pytest.approx(linear.sum() + both.sum(), abs=1e-12)
