"""Whether a map can be believed: how far the nearest on it are the nearest in the original space, and the reverse.

    trustworthiness  T = 1 - 2 / (n k (2n - 3k - 1))  sum_i  sum_{j in map_k(i)}       max(0, r(i, j) - k)
    continuity       C = 1 - 2 / (n k (2n - 3k - 1))  sum_i  sum_{j in original_k(i)}  max(0, s(i, j) - k)

Venna and Kaski 2001. r, s: which nearest of i the picture j is, in the original space and on the map, counted from 1;
map_k(i), original_k(i): the k nearest on the map, in the original space. 1: no neighbour is false, none is torn away;
of a map by chance both are about 0.5. n: pictures; of more than two thousand the sums are of two thousand, spread over
all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import spread_places
from onnxray.methods.features.parts.nearest import Codes, Metric

Places = NDArray[np.int64]
_ASKED: Final = 2000
_BLOCK: Final = 2048
_ROWS: Final = 256
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, kw_only=True)
class MapQuality:
    """asked: of how many pictures the sums are. None, with a reason, where k is half of the pictures or more."""

    trustworthiness: float | None
    continuity: float | None
    asked: int
    reason: str | None


def map_quality(
    codes: Codes, points: Codes, near: Places, near_on_map: Places, metric: Metric, *,
    tick: Callable[[float], None] = lambda _: None,
) -> MapQuality:  # fmt: skip
    """near, near_on_map: (n, k), the nearest of each picture by codes (in the metric) and by points (Euclidean).

    tick: called with the share that is done.
    """
    count, k = near.shape
    if not k or 2 * k >= count:
        few = f"k is {k}, and half of the {count} pictures or more; there is no trustworthiness"
        return MapQuality(trustworthiness=None, continuity=None, asked=0, reason=few)
    rows = spread_places(count, _ASKED)
    false = torn = 0.0
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        false += _beyond(codes, some, near_on_map[some], k, metric)
        torn += _beyond(points, some, near[some], k, "euclidean")
        tick(min(start + _ROWS, len(rows)) / len(rows))
    scale = 2 / (len(rows) * k * (2 * count - 3 * k - 1))
    return MapQuality(trustworthiness=1 - scale * false, continuity=1 - scale * torn, asked=len(rows), reason=None)


def _beyond(codes: Codes, rows: Places, near: Places, k: int, metric: Metric) -> float:
    """The sum of max(0, r - k) over some pictures and what is said to be near them."""
    own = _prepared(codes[rows], metric)
    lengths = np.square(own).sum(1)
    limits = np.stack(
        [np.square(_prepared(codes[column], metric) - own).sum(1) for column in near.T], 1
    )  # fmt: skip
    before = np.zeros(near.shape, np.int64)
    for start in range(0, len(codes), _BLOCK):
        others = _prepared(codes[start : start + _BLOCK], metric)
        theirs = np.square(others).sum(1)
        far = lengths[:, None] + theirs - 2 * own @ others.T
        inside = np.flatnonzero((rows >= start) & (rows < start + len(others)))
        far[inside, rows[inside] - start] = np.inf
        slack = _ROUNDING * (lengths[:, None] + theirs.max(initial=0))
        for column in range(k):
            before[:, column] += (far < limits[:, [column]] - slack).sum(1)
    return float(np.maximum(before + 1 - k, 0).sum())


def _prepared(codes: Codes, metric: Metric) -> NDArray[np.float64]:
    """In float64; for the cosine at length 1, where the order is that of Euclidean distances."""
    found = np.asarray(codes, np.float64)
    if metric == "cosine":
        lengths = np.sqrt(np.square(found).sum(1, keepdims=True))
        found = found / np.where(lengths > 0, lengths, 1)
    return found
