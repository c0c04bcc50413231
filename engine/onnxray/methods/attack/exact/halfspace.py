"""The smallest perturbation into a half-space, numbers kept within their ranges: <a, d> <= -f, low <= d <= high.

    linf   d_i = -sign(a_i) min(t, L_i)            t the least at which  sum |a_i| min(t, L_i)       = f
    l2     d_i = -sign(a_i) min(t |a_i|, L_i)      t ...                 sum |a_i| min(t |a_i|, L_i) = f
    l1     d_i = -sign(a_i) L_i of the largest |a_i| first, the last as far as is needed

L_i is how far number i may go down the slope: -low_i where a_i > 0, else high_i. Without bounds these are f / ||a||_q
along the dual norm's direction: f sign(a) / ||a||_1, f a / ||a||_2^2, and f / max |a_i| at the largest. Each is solved
exactly: the sums are linear between the places where a number reaches its end.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.threat import NormName

Array = NDArray[np.float64]

DUALS: dict[str, float] = {"linf": 1, "l2": 2, "l1": np.inf}
"""The order of the norm that a slope is measured by."""


def into_halfspace(a: Array, f: float, low: Array, high: Array, norm: NormName) -> Array | None:
    """(numbers,): d; None where no d within the ranges is there."""
    steep, most = np.abs(a), np.where(a > 0, -low, high)
    down = -np.sign(a)
    if norm == "l1":
        length = _one_by_one(steep, most, f)
        return None if length is None else np.asarray(down * length)
    speed = np.ones_like(a) if norm == "linf" else steep
    ends = np.where(steep > 0, most / np.where(speed > 0, speed, 1), 0)
    order = np.argsort(ends, kind="stable")
    left = (steep * speed)[order][::-1].cumsum()[::-1]  # the slope of the sum of those that are not at their end
    gained = np.where((steep > 0) & np.isfinite(most), steep * np.where(np.isfinite(most), most, 0), 0)[order]
    before = np.concatenate([[0.0], gained.cumsum()[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (f - before) / left
    fits = np.flatnonzero((left > 0) & (t <= ends[order]))
    return np.asarray(down * np.minimum(t[fits[0]] * speed, most) * (steep > 0)) if fits.size else None


def _one_by_one(steep: Array, most: Array, f: float) -> Array | None:
    """(numbers,): how far each goes under l1: the steepest to its end, then the next."""
    length, left = np.zeros_like(steep), f
    for k in np.argsort(-steep, kind="stable").tolist():
        if left <= 0 or steep[k] == 0:
            break
        length[k] = min(most[k], left / steep[k])
        left -= length[k] * steep[k]
    return length if left <= f * 1e-12 else None
