"""Optimisers against their formulas, a few steps on a quadratic whose gradient is known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from onnxray.methods.synthesis.ascent.optimizers import (
    LBFGS,
    Adam,
    DecayingAdaGrad,
    Momentum,
    Normalized,
    Optimizer,
    Steps,
)

CURVATURE = np.array([[1.0, 2.0, 4.0], [0.5, 1.0, 3.0]])
START = np.array([[3.0, -1.0, 2.0], [1.0, 5.0, -2.0]])


def slope(x: np.ndarray) -> np.ndarray:
    """Of sum of curvature x^2 / 2."""
    return CURVATURE * x


def path(settings: Optimizer, steps: int, start: np.ndarray = START) -> list[np.ndarray]:
    x = torch.from_numpy(start.copy()).requires_grad_()
    return followed(x, settings.build([x]), settings, steps)


def followed(x: torch.Tensor, optimizer: Steps, settings: Optimizer, steps: int) -> list[np.ndarray]:
    found = []

    def evaluate() -> float:
        x.grad = torch.from_numpy(slope(x.detach().numpy()))
        return float((torch.from_numpy(CURVATURE) * x.detach() ** 2).sum() / 2)

    for step in range(steps):
        rate = settings.rate(step, steps)
        if rate is not None:
            for group in optimizer.param_groups:
                group["lr"] = rate
        optimizer.step(evaluate)
        found.append(x.detach().numpy().copy())
    return found


def restated(steps: int, move: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> list[np.ndarray]:
    x, found = START.copy(), []
    for step in range(steps):
        x = x + move(x, slope(x), step)
        found.append(x.copy())
    return found


def test_momentum_starts_anew_where_the_rate_changes():
    schedule = ((0.1, 3), (0.01, 2), (0.2, 2))
    rates = [0.1] * 3 + [0.01] * 2 + [0.2] * 4  # the last goes on beyond its end
    m = np.zeros_like(START)

    def move(x, g, step):
        nonlocal m
        if step in (3, 5):
            m = np.zeros_like(m)
        m = 0.9 * m - rates[step] * g
        return m

    np.testing.assert_allclose(path(Momentum(schedule=schedule), 9), restated(9, move), rtol=1e-12)


def test_adagrad_with_decay():
    schedule = ((0.5, 4), (0.05, 3))
    squares, m = np.zeros_like(START), np.zeros_like(START)

    def move(x, g, step):
        nonlocal squares, m
        squares = 0.9 * squares + g**2
        m = 0.9 * m - g / (1 / (0.5 if step < 4 else 0.05) + np.sqrt(squares))
        return m

    np.testing.assert_allclose(path(DecayingAdaGrad(schedule=schedule), 7), restated(7, move), rtol=1e-12)


@pytest.mark.parametrize(
    ("norm", "size"),
    [
        ("mean", lambda g: np.abs(g).mean(1)),
        ("max", lambda g: np.abs(g).max(1)),
        ("l2", lambda g: np.sqrt((g**2).sum(1))),
    ],
)
def test_a_normalised_step_has_the_same_length_for_each_image(norm, size):
    found = path(Normalized(start=2.0, end=1.0, norm=norm), 5)
    expected = restated(5, lambda x, g, step: -(2.0 - step / 4) * g / size(g)[:, None])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_normalised_step_leaves_an_image_without_a_gradient_where_it_is():
    start = np.stack([START[0], np.zeros(3)])
    last = path(Normalized(), 2, start)[-1]
    assert not last[1].any()
    assert np.isfinite(last).all()
    assert (last[0] != START[0]).any()


@pytest.mark.parametrize("final", [None, 0.02])
def test_adam_and_its_cosine(final: float | None):
    first, second = np.zeros_like(START), np.zeros_like(START)

    def move(x, g, step):
        nonlocal first, second
        rate = 0.3 if final is None else final + (0.3 - final) * (1 + math.cos(math.pi * step / 6)) / 2
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
        corrected = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
        return -rate * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)

    np.testing.assert_allclose(path(Adam(learning_rate=0.3, final=final), 6), restated(6, move), rtol=1e-9)


@pytest.mark.parametrize("final", [None, 0.02])
def test_adam_is_torchs_bit_for_bit(final: float | None):
    settings = Adam(learning_rate=0.3, final=final)
    x = torch.from_numpy(START.copy()).requires_grad_()
    theirs = followed(x, torch.optim.Adam([x], lr=0.3), settings, 40)
    np.testing.assert_array_equal(path(settings, 40), theirs)


def test_lbfgs_finds_the_minimum_of_a_quadratic():
    assert np.abs(path(LBFGS(evaluations=25), 2)[-1]).max() < 1e-6
