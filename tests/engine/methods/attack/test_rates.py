"""Intervals against scipy's."""

import pytest
from scipy.stats import binomtest

from onnxray.methods.attack.rates import wilson


@pytest.mark.parametrize(("successes", "count"), [(0, 5), (3, 7), (200, 200), (991, 1000)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_interval_is_wilsons(successes: int, count: int, confidence: float) -> None:
    other = binomtest(successes, count).proportion_ci(confidence, method="wilson")
    assert wilson(successes, count, confidence) == pytest.approx((other.low, other.high), abs=1e-9)
    assert wilson(0, 0, confidence) == (0.0, 1.0)
