"""Where the parts of a graph are drawn: below what they read, beside each other without overlap, in linear time."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest

from onnxray.web.work.layout import laid_out

GAP = 22.0


def network(count: int, seed: int = 0) -> list[tuple[int, int]]:
    """A chain with branches and ways around, as convolutional networks have them."""
    draw = random.Random(seed)
    edges = [(max(0, k - draw.choice((1, 1, 1, 2, 5))), k) for k in range(1, count)]
    return edges + [(k - 12, k) for k in range(12, count, 11)]


@pytest.mark.parametrize("count", [1, 2, 50, 400])
@pytest.mark.parametrize("seed", [0, 1])
def test_parts_stand_below_what_they_read_and_apart(count: int, seed: int) -> None:
    edges, widths = network(count, seed), [80.0 + 10 * (k % 7) for k in range(count)]
    drawn = laid_out(widths, edges)
    assert all(drawn.y[a] < drawn.y[b] for a, b in edges)
    for y in set(drawn.y):
        row = sorted((drawn.x[k], k) for k in range(count) if drawn.y[k] == y)
        for (x, k), (other, m) in pairwise(row):
            assert other - x >= (widths[k] + widths[m]) / 2 + GAP - 1e-6
    assert min(x - wide / 2 for x, wide in zip(drawn.x, widths)) == pytest.approx(0)


def test_an_edge_over_several_rows_is_led_through_each() -> None:
    drawn = laid_out([100.0] * 5, [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)])
    assert drawn.bends[:4] == [[], [], [], []]
    assert [y for _, y in drawn.bends[4]] == drawn.y[1:4]
    assert all(abs(x - drawn.x[k]) > 50 for k, (x, _) in enumerate(drawn.bends[4], 1)), "around what stands there"


def test_a_straight_chain_is_drawn_straight() -> None:
    drawn = laid_out([100.0, 60.0, 140.0], [(0, 1), (1, 2)])
    assert drawn.x == pytest.approx([70.0] * 3)


def test_what_is_read_late_stands_right_above_what_reads_it() -> None:
    drawn = laid_out([50.0] * 5, [(0, 1), (1, 2), (2, 3), (4, 3)])
    assert drawn.y[4] == drawn.y[2]


def test_circles_and_nothing_at_all_are_drawn() -> None:
    drawn = laid_out([50.0] * 3, [(0, 1), (1, 2), (2, 0)])
    assert len(set(drawn.y)) == 3
    assert laid_out([], []).x == []


def test_four_times_the_parts_take_no_more_than_eight_times_as_long() -> None:
    def seconds(count: int) -> float:
        edges, best = network(count), float("inf")
        for _ in range(2):
            begun = time.process_time()
            laid_out([120.0] * count, edges)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(8000) < 8 * max(seconds(2000), 0.05)
