"""Windows and rings against what the paper's formulas say, restated number by number."""

from __future__ import annotations

import numpy as np
import pytest

from onnxray.methods.attack.score.windows import Window, eta, odd, shape_of, square_of, swapped, tiles


def rings(height: int, width: int) -> np.ndarray:
    """M (h, w): sum over k of 1 / (k + 1)^2 for each number whose ring about the centre is k or less."""
    found = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            ring = max(abs(row - height // 2), abs(column - width // 2))
            last = max(height // 2, width // 2)
            found[row, column] = sum(1 / (k + 1) ** 2 for k in range(ring, last + 1))
    return found / np.linalg.norm(found)


@pytest.mark.parametrize("side", [3, 5, 6, 11])
def test_eta_is_a_ring_up_and_a_ring_down(side: int) -> None:
    above, beside = eta(side, side)
    half = side // 2
    expected = np.concatenate([rings(half, side), -rings(side - half, side)])
    assert above == pytest.approx(expected / np.linalg.norm(expected))
    assert np.linalg.norm(beside) == pytest.approx(1)
    assert (beside[:, :half] > 0).all()
    assert (beside[:, half:] < 0).all()


def test_a_stretch_is_halved_along_it() -> None:
    for one in eta(1, 5):
        assert np.linalg.norm(one) == pytest.approx(1)
        assert (one[0, :2] > 0).all()
        assert (one[0, 2:] < 0).all()


def test_a_window_lies_within_and_anywhere() -> None:
    random = np.random.default_rng(0)
    tops = set()
    for _ in range(200):
        drawn = random.random((4, 2))
        first, second, rows, columns = Window.at(drawn, (4, 3, 9, 7), (3, 2)).index
        assert rows.min() >= 0
        assert rows.max() < 9
        assert columns.min() >= 0
        assert columns.max() < 7
        assert (np.diff(rows, axis=2) == 1).all()
        assert (np.diff(columns, axis=3) == 1).all()
        picked = np.zeros((4, 3, 9, 7))[first, second, rows, columns]
        assert picked.shape == (4, 3, 3, 2)
        tops |= set(rows[:, 0, 0, 0].tolist())
    assert tops == set(range(7))


def test_the_sides_of_a_square_cover_its_area() -> None:
    assert square_of(4.4, 9, 9) == (4, 4)
    assert square_of(0.2, 9, 9) == (1, 1)
    assert square_of(9.0, 9, 5) == (9, 5)
    assert square_of(6.0, 1, 50) == (1, 36)  # of a row: as many numbers
    assert shape_of((3, 5, 7)) == (3, 5, 7)
    assert shape_of((12,)) == (1, 1, 12)
    assert [odd(size, 8) for size in (1, 3, 4, 7, 8)] == [3, 3, 5, 7, 8]
    assert odd(5, 1) == 1


def test_tiles_lie_side_by_side() -> None:
    covered = np.zeros((28, 28), int)
    for part in tiles(28, 28, 5):
        covered[part] += 1
    assert covered[:25, :25].min() == covered.max() == 1
    assert not covered[25:].any()


def test_a_window_takes_over_the_norm_of_another_that_is_emptied() -> None:
    random = np.random.default_rng(1)
    d = random.normal(size=(2, 3, 12, 12)).astype(np.float32)
    where = Window.at(np.array([[0.0, 0.0], [0.9, 0.9]]), d.shape, (5, 5))
    other = Window.at(np.array([[0.5, 0.9], [0.0, 0.3]]), d.shape, (5, 5))
    ring = np.broadcast_to(eta(5, 5)[0], (2, 3, 5, 5))
    eps = float(np.linalg.norm(d[0])) * 1.5
    found = swapped(d, where, other, ring, np.full((2, 1, 1, 1), eps))
    for k, (place, away) in enumerate(
        [
            ((slice(0, 5), slice(0, 5)), (slice(4, 9), slice(7, 12))),
            ((slice(7, 12), slice(7, 12)), (slice(0, 5), slice(2, 7))),
        ]
    ):
        assert not found[k][:, away[0], away[1]].any()
        for c in range(3):
            both = (d[k, c][place] ** 2).sum() + (d[k, c][away] ** 2).sum()
            missing = (eps**2 - (d[k].astype(float) ** 2).sum()) / 3
            old = d[k, c][place] / np.linalg.norm(d[k, c][place])
            new = eta(5, 5)[0] + old
            expected = new / np.linalg.norm(new) * np.sqrt(max(missing, 0) + both)
            assert found[k, c][place] == pytest.approx(expected, rel=1e-5)
        untouched = np.ones((12, 12), bool)
        untouched[place] = untouched[away] = False
        assert found[k][:, untouched] == pytest.approx(d[k][:, untouched])
