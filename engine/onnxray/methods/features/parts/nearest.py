"""The k nearest of many codes to each of some, exactly: by blocks of a matrix product, and then by the differences.

    euclidean  d = |q - r|                 nearest: largest  q . r - |r|^2 / 2 - |q|^2 / 2
    cosine     d = 1 - q . r / (|q| |r|)   nearest: largest  q . r / (|q| |r|)

Products are in float32, and which codes may be among the nearest is told with room for their rounding. Those are
measured by the differences q - r, which lose nothing to cancellation, so that near duplicates keep their distance; and
in float64 where two of them are too near to each other to be told apart. Of equal distances the one that comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Metric = Literal["euclidean", "cosine"]
Codes = NDArray[Any]
"""(n, numbers): float32, or uint8 of pixels; may lie in a file."""
Places = NDArray[np.int64]
Floats = NDArray[np.float32]

_BLOCK: Final = 2048
"""How many are multiplied with as many others at once: products of 16 MiB."""
_FIRST: Final = 1024
"""Codes of the first block by which the k-th best of a query is bounded from below."""
_MEASURED: Final = 256
_MOST_HELD: Final = 2**21
_ROUNDING: Final = 8 * float(np.finfo(np.float32).eps)
"""Times the root of the numbers a code has, and the lengths: what a product in float32 is off by."""
_TOLD_APART: Final = 1e-5
_ROUNDED: Final = 1e-3
"""Cosine distances below which unit vectors in float32 are too coarse."""
_SAMPLED: Final = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Nearest:
    """places, distances: (queries, k), the nearest first. typical: the median distance between a query and a code, of
    up to 64 of both.
    """

    places: Places
    distances: NDArray[np.float64]
    typical: float


def nearest(
    queries: Codes, codes: Codes, k: int, metric: Metric, *, own: Places | None = None,
    tick: Callable[[int], None] = lambda _: None,
) -> Nearest:  # fmt: skip
    """The ``k`` nearest of ``codes`` to each of ``queries``, or as many as there are.

    own: which of the codes each query is itself, and is left out; -1 for none. tick: called with the queries done.
    """
    count = min(k, len(codes) - (1 if own is not None and (own >= 0).any() else 0))
    places = np.zeros((len(queries), count), np.int64)
    distances = np.zeros((len(queries), count))
    if not count or not len(queries):
        return Nearest(places=places, distances=distances, typical=_typical(queries, codes, metric))
    rows, columns = _Search(queries, codes, metric, count, own).pairs(tick)
    ends = np.searchsorted(rows, np.arange(len(queries) + 1))
    for start in range(0, len(queries), _MEASURED):
        stop = min(start + _MEASURED, len(queries))
        part = np.ascontiguousarray(queries[start:stop], np.float32)
        own_ends = ends[start : stop + 1]
        found = _measured(part, codes, columns[own_ends[0] : own_ends[-1]], own_ends - own_ends[0], metric)
        for row, (some, far) in enumerate(found):
            order = np.lexsort((some, far))[:count]
            near = len(order) > 1 and bool((np.diff(far[order]) <= _TOLD_APART * far[order][1:]).any())
            if near or len(some) > count or (metric == "cosine" and far.min(initial=1) < _ROUNDED):
                far = distances_to(part[row], codes, some, metric)
                order = np.lexsort((some, far))[:count]
            places[start + row], distances[start + row] = some[order], far[order]
    return Nearest(places=places, distances=distances, typical=_typical(queries, codes, metric))


def distances_to(query: Codes, codes: Codes, places: Places, metric: Metric) -> NDArray[np.float64]:
    """The distances of one code to some, in float64."""
    one, some = np.asarray(query, np.float64), np.asarray(codes[places], np.float64)
    if metric == "cosine":  # |a - b|^2 / 2 of unit vectors
        apart = _unit(some) - _unit(one[None])
        return np.asarray(np.square(apart).sum(1) / 2)
    return np.asarray(np.sqrt(np.square(some - one).sum(1)))


class _Search:
    """The pairs of a query and a code that may be near, by blocks of products; of codes among themselves each block
    counts for both of its sides.
    """

    def __init__(self, queries: Codes, codes: Codes, metric: Metric, count: int, own: Places | None) -> None:
        self._queries, self._codes, self._cosine, self._count = queries, codes, metric == "cosine", count
        self._same = queries is codes and own is not None and bool((own == np.arange(len(codes))).all())
        self._own = own
        self._halves = _half_squares(codes)
        self._of_queries = self._halves if queries is codes else _half_squares(queries)
        share = 2 * _ROUNDING * np.float32(np.sqrt(codes.shape[1]))
        furthest = self._halves.max(initial=0)
        slack = np.ones(len(queries)) if self._cosine else 2 * (np.sqrt(self._of_queries * furthest) + furthest)
        self._slack = (share * slack).astype(np.float32)
        self._bound = np.full(len(queries), -np.inf, np.float32)
        self._held: list[tuple[Places, Places, Floats]] = []

    def pairs(self, tick: Callable[[int], None]) -> tuple[Places, Places]:
        """Query and code of each, in order of the queries."""
        buffer = np.empty((_BLOCK, _BLOCK), np.float32)
        for start in range(0, len(self._codes), _BLOCK):
            codes = self._block(self._codes, self._halves, start)
            for first in range(start if self._same else 0, len(self._queries), _BLOCK):
                queries = codes if self._same and first == start else self._block(
                    self._queries, self._of_queries, first
                )  # fmt: skip
                near = np.matmul(queries, codes.T, out=buffer[: len(queries), : len(codes)])
                if not self._cosine:
                    near -= self._halves[start : start + len(codes)]
                    near -= self._of_queries[first : first + len(queries), None]
                self._leave_out_own(near, first, start)
                self._hold(near, first, start)
                if self._same and first > start:
                    self._hold(near.T, start, first)
            tick(min(start + _BLOCK, len(self._codes)))
        self._trim()
        rows, columns, _ = self._held[0]
        return rows, columns

    def _block(self, codes: Codes, halves: Floats, start: int) -> Floats:
        part = np.ascontiguousarray(codes[start : start + _BLOCK], np.float32)
        if not self._cosine:
            return part
        lengths = np.sqrt(2 * halves[start : start + _BLOCK])
        return np.asarray(part / np.where(lengths > 0, lengths, np.float32(1))[:, None])

    def _leave_out_own(self, near: Floats, first: int, start: int) -> None:
        if self._own is not None:
            own = self._own[first : first + len(near)]
            inside = np.flatnonzero((own >= start) & (own < start + near.shape[1]))
            near[inside, own[inside] - start] = -np.inf

    def _hold(self, near: Floats, first: int, start: int) -> None:
        """Take the pairs of a block that are not below the bounds of their queries."""
        rows = slice(first, first + len(near))
        if start == 0 and min(_FIRST, near.shape[1]) > self._count:
            some = near[:, :_FIRST]
            self._bound[rows] = np.partition(some, some.shape[1] - self._count, 1)[:, -self._count] - self._slack[rows]
        if near.flags.c_contiguous or near.strides[1] == near.itemsize:
            own, others = np.divmod(np.flatnonzero(near >= self._bound[rows, None]), near.shape[1])
        else:
            others, own = np.divmod(np.flatnonzero(self._bound[rows] <= near.T), near.shape[0])
        scores = near[own, others]
        there = scores > -np.inf
        self._held.append((own[there] + first, others[there] + start, scores[there]))
        if sum(len(one[0]) for one in self._held) > max(_MOST_HELD, 8 * self._count * len(self._bound)):
            self._trim()

    def _trim(self) -> None:
        """Let go of pairs that cannot be among the nearest any more; what is left is in order of the queries."""
        rows, columns, scores = (np.concatenate([one[k] for one in self._held]) for k in range(3))
        order = np.lexsort((-scores, rows))
        rows, columns, scores = rows[order], columns[order], scores[order]
        firsts = np.searchsorted(rows, np.arange(len(self._bound) + 1))
        full = np.flatnonzero(np.diff(firsts) >= self._count)
        self._bound[full] = scores[firsts[full] + self._count - 1] - self._slack[full]
        kept = scores >= self._bound[rows]
        self._held = [(rows[kept], columns[kept], scores[kept])]


def _half_squares(codes: Codes) -> Floats:
    """|r|^2 / 2 of each."""
    found = np.zeros(len(codes), np.float32)
    for start in range(0, len(codes), _BLOCK):
        part = np.ascontiguousarray(codes[start : start + _BLOCK], np.float32)
        found[start : start + _BLOCK] = np.einsum("ij,ij->i", part, part) / 2
    return found


def _measured(
    queries: Floats, codes: Codes, columns: Places, ends: Places, metric: Metric
) -> list[tuple[Places, NDArray[np.float64]]]:
    """For each query its candidates and their distances, by the differences in float32."""
    some = np.ascontiguousarray(codes[columns], np.float32)
    if metric == "cosine":
        some, queries = _units(some), _units(queries)
    for row in range(len(queries)):
        some[ends[row] : ends[row + 1]] -= queries[row]
    squares = np.einsum("ij,ij->i", some, some).astype(np.float64)
    far = squares / 2 if metric == "cosine" else np.sqrt(squares)
    return [(columns[a:b], far[a:b]) for a, b in pairwise(ends)]


def _units(codes: Floats) -> Floats:
    lengths = np.sqrt(np.einsum("ij,ij->i", codes, codes))[:, None]
    return np.asarray(codes / np.where(lengths > 0, lengths, np.float32(1)))


def _unit(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.sqrt(np.square(codes).sum(1, keepdims=True))
    return np.asarray(codes / np.where(lengths > 0, lengths, 1))


def _typical(queries: Codes, codes: Codes, metric: Metric) -> float:
    """The median distance of some queries to some codes, spread over all; a query's to itself among them."""
    if not len(queries) or not len(codes):
        return 0.0
    places = np.unique(np.linspace(0, len(codes) - 1, min(_SAMPLED, len(codes))).astype(np.int64))
    asked = np.unique(np.linspace(0, len(queries) - 1, min(_SAMPLED, len(queries))).astype(np.int64))
    return float(np.median([distances_to(queries[k], codes, places, metric) for k in asked]))
