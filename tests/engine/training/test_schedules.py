"""Schedules are torch's own; what the loss is of has the file's probabilities as its softmax."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.optim import lr_scheduler

from onnxray.training.losses import reading_of
from onnxray.training.steps import SCHEDULES

STEPS = 37
TORCH = {
    "constant": lambda optimizer: lr_scheduler.ConstantLR(optimizer, factor=1.0),
    "linear": lambda optimizer: lr_scheduler.PolynomialLR(optimizer, STEPS),
    "cosine": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, STEPS),
}


@pytest.mark.parametrize("name", TORCH)
def test_a_schedule_is_that_of_torch(name: str) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    scheduler = TORCH[name](optimizer)
    for step in range(STEPS):
        assert SCHEDULES[name](step / STEPS) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-9)  # type: ignore[index]
        optimizer.step()
        scheduler.step()


def test_one_cycle_is_that_of_torch() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    steps = 1000  # torch's course ends with its last step, and turns a step before 0.3 of it
    scheduler = lr_scheduler.OneCycleLR(optimizer, 1.0, steps, cycle_momentum=False)
    for step in range(steps):
        assert SCHEDULES["one-cycle"](step / steps) == pytest.approx(scheduler.get_last_lr()[0], abs=0.01)
        optimizer.step()
        if step < steps - 1:
            scheduler.step()
    assert SCHEDULES["one-cycle"](0) == pytest.approx(1 / 25)
    assert SCHEDULES["one-cycle"](0.3) == pytest.approx(1)
    assert SCHEDULES["one-cycle"](1) == pytest.approx(0)


def test_the_scores_of_a_sigmoid_make_cross_entropy_the_binary_one() -> None:
    z = torch.from_numpy(np.random.default_rng(0).normal(0, 4, (20, 1)).astype(np.float32))
    y = torch.arange(20) % 2
    ours = cross_entropy(reading_of("binary")(z), y)
    torch.testing.assert_close(ours, binary_cross_entropy_with_logits(z[:, 0], y.float()))


def test_the_scores_of_probabilities_are_their_logarithms() -> None:
    p = torch.softmax(torch.from_numpy(np.random.default_rng(1).normal(0, 4, (20, 5)).astype(np.float32)), 1)
    y = torch.arange(20) % 5
    torch.testing.assert_close(cross_entropy(reading_of("probabilities")(p), y), -p[torch.arange(20), y].log().mean())
    assert torch.isfinite(reading_of("probabilities")(torch.zeros(2, 3))).all()
