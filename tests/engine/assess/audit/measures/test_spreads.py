"""Intervals from their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from onnxray.assess.audit.measures.calibration import bootstrapped, calibration_error
from onnxray.assess.audit.measures.spreads import mean, mean_share, median, rank_below_the_median
from onnxray.methods.attack.rates import wilson

RANDOM = np.random.default_rng(0)


def test_the_mean_of_shares_has_wilson_s_interval_at_it() -> None:
    shares = RANDOM.uniform(0, 1, 40).tolist()
    figure = mean_share("x", shares, 0.9, better="lower")
    assert figure.value == pytest.approx(np.mean(shares))
    assert (figure.low, figure.high) == pytest.approx(wilson(sum(shares), 40, 0.9))
    whole = mean_share("x", [1.0] * 3 + [0.0] * 7, 0.95, better="higher")
    reference = stats.binomtest(3, 10).proportion_ci(0.95, "wilson")
    assert (whole.low, whole.high) == pytest.approx((reference.low, reference.high))
    assert mean_share("x", [], 0.95, better=None).reason is not None


@pytest.mark.parametrize("count", [1, 5, 6, 17, 200])
def test_the_interval_of_a_median_holds_it_as_often_as_it_says(count: int) -> None:
    rank = rank_below_the_median(count, 0.95)
    chance = 0.025
    if rank is None:
        assert stats.binom.cdf(0, count, 0.5) > chance
    else:
        assert stats.binom.cdf(rank - 1, count, 0.5) <= chance < stats.binom.cdf(rank, count, 0.5)
    numbers = RANDOM.normal(size=count)
    figure = median("x", numbers.tolist(), 0.95, unit="ms", better="lower")
    assert figure.value == pytest.approx(np.median(numbers))
    if rank is None:
        assert figure.low is figure.high is None
    else:
        ordered = np.sort(numbers)
        assert (figure.low, figure.high) == (ordered[rank - 1], ordered[-rank])


def test_a_median_that_is_infinite_has_a_reason_and_its_lower_bound() -> None:
    figure = median("x", [1.0] * 8 + [math.inf] * 12, 0.95, unit="levels", better="higher", infinite="not reached")
    assert (figure.value, figure.low, figure.high, figure.reason) == (None, 1.0, None, "not reached")


def test_a_mean_has_student_s_interval() -> None:
    numbers = RANDOM.normal(3, 2, 12)
    figure = mean("x", numbers.tolist(), 0.95, unit="", better=None)
    wanted = stats.t.interval(0.95, 11, numbers.mean(), stats.sem(numbers))
    assert (figure.low, figure.high) == pytest.approx(wanted)
    assert mean("x", [1.0], 0.95, unit="", better=None).low is None
    assert mean("x", [], 0.95, unit="", better=None).value is None


def test_calibration_error_is_the_formula_and_its_interval_does_not_ask_for_an_order() -> None:
    told, right = RANDOM.uniform(0.2, 1, 90), RANDOM.random(90) < 0.7
    told[0] = 1.0
    wanted = 0.0
    for b in range(5):
        held = (told >= b / 5) & ((told < (b + 1) / 5) | (b == 4))
        if held.any():
            wanted += held.mean() * abs(right[held].mean() - told[held].mean())
    assert calibration_error(told, right, 5) == pytest.approx(wanted)
    low, high = bootstrapped(told, right, 5, 0.95)
    assert low < high
    order = RANDOM.permutation(90)
    assert bootstrapped(told[order], right[order], 5, 0.95) == (low, high)
