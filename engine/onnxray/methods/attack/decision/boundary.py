"""The boundary of what the judge takes: a point behind it, and the nearest one on the way back to the sample.

    l2    x_0 + t d            linf   x_0 + clip(d, -t ||d||, t ||d||)            t in [0, 1], halved

Between a t that is taken and one that is not lies a boundary, by no more than decisions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.base import Attacked
from onnxray.methods.attack.threat import Floats, Norm
from onnxray.methods.variable import Rows

_RANGE = 255.0
"""Steps about a number that has no bounds, at the first draw; grown by as much at every tenth."""


def noise_behind(attacked: Attacked, draws: int) -> tuple[Floats, NDArray[np.bool_]]:
    """(n, numbers) of uniform noise that the judge takes, and (n,) where some was found in so many draws."""
    oracle, rows = attacked.oracle, attacked.rows
    low, high = oracle.bounds(rows)
    d, found = np.zeros_like(low), np.zeros(len(rows), bool)
    for draw in range(draws):
        open_ = np.flatnonzero(~found & oracle.left(rows))
        if not open_.size:
            break
        widest = np.float32(_RANGE * (1 + draw / 10))
        least, greatest = np.where(np.isfinite(low), low, -widest), np.where(np.isfinite(high), high, widest)
        share = np.stack([attacked.random[k].random(low.shape[1], np.float32) for k in open_.tolist()])
        d[open_] = least[open_] + share * (greatest[open_] - least[open_])
        found[open_] = oracle.met(d[open_], rows[open_])
        attacked.tell(draw + 1, draws, f"start {draw + 1}")
    return d, found


def sample_behind(attacked: Attacked, source: str) -> tuple[Floats, NDArray[np.bool_]]:
    """The same of another sample, read from a file: where the judge takes it."""
    oracle, rows = attacked.oracle, attacked.rows
    variable = oracle.variable
    other = variable.of(variable.whole.pixels([source]))
    away = other.floats(np.zeros(1, np.int64)) - variable.floats(rows)
    d = np.asarray((away / variable.steps(rows)).reshape(len(rows), -1), np.float32)
    found = oracle.left(rows)
    found[found] = oracle.met(d[found], rows[found])
    return d, found


def drawn_back(attacked: Attacked, places: Rows, d: Floats, norm: Norm, tolerance: float) -> Floats:
    """The nearest on the way to the samples at these places that the judge takes, t being known to ``tolerance``."""
    oracle, rows = attacked.oracle, attacked.rows[places]
    high, low = np.ones(len(rows), np.float32), np.zeros(len(rows), np.float32)
    size = norm.size(d).astype(np.float32)
    while True:
        middle = (low + high) / 2
        open_ = np.flatnonzero((high - low > tolerance) & (middle != high) & (middle != low) & oracle.left(rows))
        if not open_.size:
            break
        met = oracle.met(_between(d[open_], size[open_], middle[open_], norm), rows[open_])
        high[open_[met]], low[open_[~met]] = middle[open_[met]], middle[open_[~met]]
    return np.where(high[:, None] < 1, _between(d, size, high, norm), d)


def _between(d: Floats, size: Floats, share: Floats, norm: Norm) -> Floats:
    if norm.name == "linf":
        return norm.project(d, size * share)
    return d * share[:, None]
