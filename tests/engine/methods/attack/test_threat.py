"""The norms against their definitions, and against a solver that knows nothing of the closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from onnxray.methods.attack.threat import NORMS, norms_of

RANDOM = np.random.default_rng(0)


def test_sizes() -> None:
    d = np.array([[3.0, -4.0, 0.0]])
    assert norms_of(d[0]) == {"linf": 4.0, "l2": 5.0, "l1": 7.0, "l0": 2.0}


@pytest.mark.parametrize(("name", "order"), [("linf", np.inf), ("l2", 2), ("l1", 1)])
def test_projection_is_the_nearest_point_of_the_ball(name: str, order: float) -> None:
    for eps in (0.5, 2.0, 50.0):
        d = RANDOM.normal(0, 3, (4, 5))
        found = NORMS[name].project(d, np.full(4, eps))  # type: ignore[index]
        assert (np.linalg.norm(found, order, axis=1) <= eps * (1 + 1e-9)).all()
        for row, nearest in zip(d, found):
            start = row * min(1, eps / np.linalg.norm(row, order))
            other = minimize(
                lambda x, row=row: ((x - row) ** 2).sum(), start, method="SLSQP",
                constraints={"type": "ineq", "fun": lambda x, eps=eps: eps - np.linalg.norm(x, order)},
            )  # fmt: skip
            assert ((nearest - row) ** 2).sum() <= other.fun + 1e-4


@pytest.mark.parametrize(("name", "dual"), [("linf", 1), ("l2", 2), ("l1", np.inf)])
def test_the_steepest_step_reaches_the_dual_norm(name: str, dual: float) -> None:
    g = RANDOM.normal(size=(6, 9))
    step = NORMS[name].steepest(g)  # type: ignore[index]
    assert NORMS[name].size(step) == pytest.approx(np.ones(6))  # type: ignore[index]
    assert (g * step).sum(1) == pytest.approx(np.linalg.norm(g, dual, axis=1))


@pytest.mark.parametrize("name", ["linf", "l2", "l1", "l0"])
def test_draws_and_rounding_stay_in_the_ball(name: str) -> None:
    norm = NORMS[name]  # type: ignore[index]
    for eps in (2.5, 7.0, 40.0):
        for seed in range(5):
            drawn = norm.draw(np.random.default_rng(seed), 60, eps)
            assert norm.size(drawn[None])[0] <= eps * (1 + 1e-5)
        d = norm.project(RANDOM.normal(0, 9, (5, 60)), np.full(5, eps))
        whole = norm.rounded(d, np.full(5, eps))
        assert (norm.size(whole) <= eps).all()
        assert np.array_equal(whole, np.rint(whole))
        assert (np.abs(whole - d) < 1.0 + 1e-9).all() or name == "l0"


def test_rounding_without_need_is_to_the_nearest() -> None:
    d = np.array([[0.4, -1.6, 2.5, 0.0]])
    for norm in NORMS.values():
        assert np.array_equal(norm.rounded(d, np.array([100.0])), np.rint(d))
