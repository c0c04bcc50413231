"""Where the parts of a graph are drawn: in layers from the top down (Sugiyama, Tagawa, Toda 1981).

    rank      the longest way from a source; what is read late stands right above what reads it
    order     the mean place of the neighbours above, then below, a few times to and fro (barycentres)
    x         the mean x of the neighbours, held apart by least squares (isotonic regression of x minus its due offset)

An edge over several ranks goes through a point in each of them, so that it is led around what stands there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_SWEEPS: Final = 3
_GAP: Final = 22.0
_DOWN: Final = 74.0
_POINT: Final = 8.0
_LONGEST: Final = 60
"""Ranks that an edge is led through; one over more goes straight."""
_BOUND: Final = 4
"""Points of edges, as many as parts, beyond which edges go straight."""


@dataclass(frozen=True)
class Drawn:
    """Where parts stand: their middles, one a part, and the points that each edge goes through, its ends left out."""

    x: list[float]
    y: list[float]
    bends: list[list[tuple[float, float]]]


def laid_out(widths: Sequence[float], edges: Sequence[tuple[int, int]]) -> Drawn:
    """Lay out parts of these widths. edges: (above, below); those that would close a circle count for nothing."""
    count = len(widths)
    forward = [(a, b) for a, b in edges if a < b] if all(a < b for a, b in edges) else _acyclic(count, edges)
    rank = _ranks(count, forward)
    wide = list(widths)
    chains: list[list[int]] = []
    links: list[tuple[int, int]] = []
    ranks = list(rank)
    spans = sum(min(abs(rank[b] - rank[a]) - 1, _LONGEST) for a, b in edges)
    led = spans <= _BOUND * count + 2000
    for a, b in edges:
        low, high = (a, b) if rank[a] <= rank[b] else (b, a)
        between = range(rank[low] + 1, rank[high])
        chain = []
        if led and 0 < len(between) <= _LONGEST:
            chain = list(range(len(ranks), len(ranks) + len(between)))
            ranks.extend(between)
            wide.extend([_POINT] * len(between))
        way = [low, *chain, high]
        links.extend((p, q) for p, q in pairwise(way) if ranks[p] != ranks[q])
        chains.append(chain if low == a else chain[::-1])
    rows, above, below = _rows(ranks, links)
    _order(rows, above, below)
    x = _places(rows, wide, above, below)
    least = min((x[k] - wide[k] / 2 for k in range(count)), default=0.0)
    return Drawn(
        [x[k] - least for k in range(count)], [rank[k] * _DOWN for k in range(count)],
        [[(x[k] - least, ranks[k] * _DOWN) for k in chain] for chain in chains],
    )  # fmt: skip


def _acyclic(count: int, edges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The edges without those that lead back to where a walk is on its way."""
    after: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        after[a].append(b)
    state, kept = [0] * count, []
    for start in range(count):
        if state[start]:
            continue
        state[start] = 1
        stack = [(start, iter(after[start]))]
        while stack:
            at, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[at] = 2
                stack.pop()
            elif state[following] != 1:
                kept.append((at, following))
                if not state[following]:
                    state[following] = 1
                    stack.append((following, iter(after[following])))
    return kept


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    after: list[list[int]] = [[] for _ in range(count)]
    before = [0] * count
    for a, b in edges:
        after[a].append(b)
        before[b] += 1
    sources = {k for k in range(count) if not before[k]}
    rank, ready = [0] * count, sorted(sources)
    for at in ready:
        for following in after[at]:
            rank[following] = max(rank[following], rank[at] + 1)
            before[following] -= 1
            if not before[following]:
                ready.append(following)
    for at in sources:  # what is read late
        if after[at]:
            rank[at] = min(rank[following] for following in after[at]) - 1
    return rank


def _rows(
    ranks: Sequence[int], links: Sequence[tuple[int, int]]
) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
    """The parts of each rank, and what stands above and below each part."""
    rows: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for part, rank in enumerate(ranks):
        rows[rank].append(part)
    above: list[list[int]] = [[] for _ in ranks]
    below: list[list[int]] = [[] for _ in ranks]
    for a, b in links:
        above[b].append(a)
        below[a].append(b)
    return rows, above, below


def _order(rows: list[list[int]], above: list[list[int]], below: list[list[int]]) -> None:
    """Sort each row by the mean place of the neighbours in the rows before, down and up again."""
    place = [0.0] * sum(map(len, rows))
    for row in rows:
        for k, part in enumerate(row):
            place[part] = k
    for sweep in range(2 * _SWEEPS):
        near = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else reversed(rows):
            if len(row) < 2:
                continue
            wish = {part: _mean(place, near[part], place[part]) for part in row}
            row.sort(key=wish.__getitem__)
            for k, part in enumerate(row):
                place[part] = k


def _places(
    rows: list[list[int]], wide: Sequence[float], above: list[list[int]], below: list[list[int]]
) -> list[float]:
    """x of every part: near its neighbours, and apart from what stands beside it."""
    x = [0.0] * len(wide)
    for row in rows:
        at = -sum(wide[part] + _GAP for part in row) / 2
        for part in row:
            x[part] = at + wide[part] / 2
            at += wide[part] + _GAP
    for sweep in range(2 * _SWEEPS):
        near = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wish = [_mean(x, near[part], x[part]) for part in row]
            for part, found in zip(row, _apart(wish, [wide[part] for part in row])):
                x[part] = found
    return x


def _apart(wish: list[float], wide: list[float]) -> list[float]:
    """The places nearest to the wishes, by least squares, at which parts in this order do not overlap."""
    if len(wish) == 1:
        return wish
    offsets, total = [], 0.0
    for k, width in enumerate(wide):
        total += 0.0 if k == 0 else (wide[k - 1] + width) / 2 + _GAP
        offsets.append(total)
    pools: list[tuple[float, int]] = []  # (mean, how many)
    for w, offset in zip(wish, offsets):
        mean, count = w - offset, 1
        while pools and pools[-1][0] > mean:
            other, more = pools.pop()
            mean, count = (mean * count + other * more) / (count + more), count + more
        pools.append((mean, count))
    found: list[float] = []
    k = 0
    for mean, count in pools:
        found.extend(mean + offset for offset in offsets[k : k + count])
        k += count
    return found


def _mean(values: Sequence[float], near: Sequence[int], own: float) -> float:
    return sum(values[part] for part in near) / len(near) if near else own
