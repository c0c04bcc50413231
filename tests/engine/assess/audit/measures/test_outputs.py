"""Two answers compared, byte by byte."""

from __future__ import annotations

import numpy as np
import pytest

from onnxray.assess.audit.measures.outputs import apart

A = np.array([[1.0, -4.0, np.nan]], np.float32)


def test_same_bytes_and_the_largest_difference() -> None:
    assert apart({"y": A}, {"y": A.copy()}) == (True, 0.0)
    moved = A + np.float32(0.5)
    assert apart({"y": A}, {"y": moved}) == (False, pytest.approx(0.5 / 4))
    assert apart({"y": np.zeros(2)}, {"y": -np.zeros(2)}) == (False, 0.0)
    assert apart({"y": A}, {"y": np.ones((1, 3), np.float32)}) == (False, 1.0)  # NaN on one side
    assert apart({"y": A}, {"y": A[:, :2]}) == (False, 1.0)
    words = np.array(["cat"], object)
    assert apart({"y": words}, {"y": words.copy()}) == (True, 0.0)
    assert apart({"y": words}, {"y": np.array(["dog"], object)}) == (False, 1.0)
