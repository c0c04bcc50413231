"""Tiles that cover a picture, and gradients put together again, by the formulas at their functions."""

import numpy as np
import pytest

from onnxray.images.tiles import cut, gathered, ramp, windows


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 8, 9, 12, 15, 16, 17, 23])
@pytest.mark.parametrize("overlap", [0, 3])
def test_tiles_cover_a_side_and_the_last_ends_with_it(length: int, overlap: int) -> None:
    found = windows(length, 8, overlap)
    assert all(len(tile) == 8 and tile.dtype == np.int64 for tile in found)
    if length <= 8:
        mirrored = [*range(length), *reversed(range(length))] * 8
        assert [tile.tolist() for tile in found] == [mirrored[:8]]
        return
    assert all((np.diff(tile) == 1).all() for tile in found)
    assert found[0][0] == 0
    assert found[-1][-1] == length - 1
    steps = np.diff([tile[0] for tile in found])
    assert (steps[:-1] == 8 - overlap).all()
    assert 0 < steps[-1] <= 8 - overlap


def test_tiles_are_cut_row_by_row() -> None:
    picture = np.arange(2 * 5 * 7.0).reshape(2, 5, 7)
    tiles = cut(picture, windows(5, 3), windows(7, 4))
    places = [(row, column) for row in (0, 2) for column in (0, 3)]
    np.testing.assert_array_equal(tiles, [picture[:, r : r + 3, c : c + 4] for r, c in places])


@pytest.mark.parametrize("shift", [(0, 0), (2, 3), (-1, 9)])
@pytest.mark.parametrize("shape", [(5, 7), (3, 4), (2, 3), (2, 9)])
def test_the_gradient_of_a_picture_is_that_of_its_tiles_together(
    shape: tuple[int, int], shift: tuple[int, int]
) -> None:
    """g = R^-1 [ sum_k S_k^T g_k(S_k R x) / sum_k S_k^T 1 ], with g_k = w_k x_k + k."""
    picture = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    tile = (3, 4)
    count = len(windows(shape[0], 3)) * len(windows(shape[1], 4))
    weights = np.random.default_rng(1).standard_normal((count, 2, *tile))
    found = gathered(picture, tile, shift, lambda tiles: weights * tiles + np.arange(count)[:, None, None, None])
    assert found.dtype == picture.dtype
    rolled, total, often = np.roll(picture, shift, (1, 2)), np.zeros((2, *shape)), np.zeros(shape)
    k = 0
    for rows in windows(shape[0], 3):
        for columns in windows(shape[1], 4):
            for i, row in enumerate(rows):
                for j, column in enumerate(columns):
                    total[:, row, column] += weights[k, :, i, j] * rolled[:, row, column] + k
                    often[row, column] += 1
            k += 1
    expected = np.roll(total / often, (-shift[0], -shift[1]), (1, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_tiles_weights_fall_to_its_ends() -> None:
    np.testing.assert_allclose(ramp(8, 3), [0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25])
    np.testing.assert_allclose(ramp(5, 9), [0.1, 0.2, 0.3, 0.2, 0.1])
    np.testing.assert_allclose(ramp(4, 0), [1, 1, 1, 1])
