"""The nearest point of the l1 ball that lies within what a sample may hold (Croce, Hein 2021, arXiv 2103.01208).

    z_i = sign(d_i) min(max(|d_i| - t, 0), b_i),   sum_i |z_i| = eps,   b_i how far d_i's side of the box reaches

t = 0 where the sum is less than that already. The sum falls with t along a line between the places |d_i| - b_i, where
a number begins to shrink, and |d_i|, where it is 0; the stretch that holds eps is found by sorting them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.threat import Floats


def nearest_in_box(d: Floats, eps: NDArray[np.float64], low: Floats, high: Floats) -> Floats:
    """(n, numbers): the formula at the top of the file, row by row; low <= 0 <= high."""
    large = np.abs(d).astype(np.float64)
    room = np.where(d > 0, high, -low).astype(np.float64)
    found = np.minimum(large, room)
    for row in np.flatnonzero(found.sum(1) > eps):
        shift = _shift(large[row], room[row], float(eps[row]))
        found[row] = np.clip(large[row] - shift, 0, room[row])
    return np.asarray(np.sign(d) * found, np.float32)


def _shift(large: NDArray[np.float64], room: NDArray[np.float64], eps: float) -> float:
    """t of one row whose numbers sum up to more than eps."""
    begin = np.maximum(large - room, 0)
    places = np.concatenate([begin, large])
    order = np.argsort(places, kind="stable")
    places = places[order]
    shrinking = np.where(order < len(large), 1, -1).cumsum()
    """How many numbers shrink behind each place."""
    fallen = np.concatenate([[0.0], (np.diff(places) * shrinking[:-1]).cumsum()])
    excess = float(np.minimum(large, room).sum() - eps)
    last = max(int(np.searchsorted(fallen, excess)) - 1, 0)
    return float(places[last] + (excess - fallen[last]) / max(int(shrinking[last]), 1))
