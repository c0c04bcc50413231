"""The smallest perturbation into a half-space, held against scipy's linear programs and its projection."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxray.methods.attack.exact.halfspace import into_halfspace


def by_solver(a: Any, f: float, low: Any, high: Any, norm: str) -> float:
    """The smallest norm, infinite where there is none."""
    optimize = pytest.importorskip("scipy.optimize")
    n = len(a)
    if norm == "l2":
        bound = optimize.LinearConstraint(a[None], -np.inf, -f)
        found = optimize.minimize(
            lambda d: d @ d, np.zeros(n), jac=lambda d: 2 * d, bounds=optimize.Bounds(low, high), constraints=bound,
            method="trust-constr", options={"gtol": 1e-10, "xtol": 1e-12, "maxiter": 3000},
        )  # fmt: skip
        return float(np.linalg.norm(found.x))
    eye = np.eye(n)
    extra = n if norm == "l1" else 1  # |d_i| <= s_i, or |d_i| <= s
    above = np.eye(n) if norm == "l1" else np.ones((n, 1))
    upper = np.vstack([np.hstack([eye, -above]), np.hstack([-eye, -above]), np.hstack([a, np.zeros(extra)])[None]])
    found = optimize.linprog(
        np.hstack([np.zeros(n), np.ones(extra)]), A_ub=upper, b_ub=np.hstack([np.zeros(2 * n), -f]),
        bounds=[*zip(low, high), *[(0, None)] * extra],
    )  # fmt: skip
    return float(found.fun) if found.success else np.inf


def size(d: Any, norm: str) -> float:
    return float(np.linalg.norm(d, {"linf": np.inf, "l2": 2, "l1": 1}[norm]))


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_nothing_within_the_ranges_is_smaller(norm: Any, share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    a = random.normal(size=7)
    a[2] = 0
    low, high = -random.uniform(0, 3, 7), random.uniform(0, 3, 7)
    high[0] = 0  # at its end already
    most = np.where(a > 0, -low, high) @ np.abs(a)
    d = into_halfspace(a, share * most, low, high, norm)
    assert d is not None
    assert a @ d == pytest.approx(-share * most)
    assert (d >= low - 1e-12).all()
    assert (d <= high + 1e-12).all()
    assert size(d, norm) == pytest.approx(by_solver(a, share * most, low, high, norm), rel=2e-3)


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2), ("l1", np.inf)])
def test_without_ranges_it_is_the_dual_norm(norm: Any, dual: float) -> None:
    a = np.random.default_rng(5).normal(size=9)
    wide = np.full(9, np.inf)
    d = into_halfspace(a, 2.5, -wide, wide, norm)
    assert d is not None
    assert a @ d == pytest.approx(-2.5)
    assert size(d, norm) == pytest.approx(2.5 / np.linalg.norm(a, dual))


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_some_numbers_have_ranges_and_others_none(norm: Any) -> None:
    a, low, high = np.array([3.0, 1.0, 0.5]), np.array([-0.1, -np.inf, -0.2]), np.full(3, np.inf)
    d = into_halfspace(a, 4.0, low, high, norm)
    assert d is not None
    assert a @ d == pytest.approx(-4)
    assert d[0] == pytest.approx(-0.1)
    assert size(d, norm) == pytest.approx(by_solver(a, 4.0, low, np.full(3, 100.0), norm), rel=2e-3)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_out_of_reach(norm: Any) -> None:
    a, most = np.array([1.0, -2.0]), np.array([1.0, 1.0])
    assert into_halfspace(a, 3.001, -most, most, norm) is None
    assert into_halfspace(a, 2.999, -most, most, norm) is not None
    assert into_halfspace(np.zeros(2), 1.0, -most, most, norm) is None
