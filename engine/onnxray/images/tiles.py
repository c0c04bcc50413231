"""Pictures of any size through a network of a fixed one: windows that cover a side, gradients put together again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Index = NDArray[np.int64]


def windows(length: int, tile: int, overlap: int = 0) -> list[Index]:
    """The places that each tile of a side reads; together they cover it, neighbours share ``overlap`` or more.

    The last one is pushed back to end with the side. A side shorter than the tile is mirrored at its ends until it
    fills it (half-sample symmetric: c b a | a b c | c b a).
    """
    if length <= tile:
        places = np.arange(tile) % (2 * length)
        return [np.minimum(places, 2 * length - 1 - places)]
    last = length - tile
    return [np.arange(start, start + tile) for start in (*range(0, last, tile - overlap), last)]


def cut(picture: Floats, rows: list[Index], columns: list[Index]) -> Floats:
    """(C, H, W) -> (tiles, C, h, w), row by row."""
    return np.stack([picture[:, r[:, None], c] for r in rows for c in columns])


def gathered(
    picture: Floats, tile: tuple[int, int], shift: tuple[int, int], gradient: Callable[[Floats], Floats]
) -> Floats:
    """The gradient of a picture (C, H, W) from those of its tiles.

        g = R^-1 [ sum_k S_k^T g_k(S_k R x) / sum_k S_k^T 1 ]

    R rolls the picture round its edges by ``shift``, so that seams fall elsewhere each time; S_k reads tile k. A place
    that several tiles read gets the mean.
    """
    rolled = np.roll(picture, shift, (1, 2))
    rows, columns = windows(picture.shape[1], tile[0]), windows(picture.shape[2], tile[1])
    found = iter(gradient(cut(rolled, rows, columns)))
    total, count = np.zeros((*picture.shape[1:], len(picture))), np.zeros((*picture.shape[1:], 1))
    for r in rows:
        for c in columns:
            np.add.at(total, (r[:, None], c), np.moveaxis(next(found), 0, -1))
            np.add.at(count, (r[:, None], c), 1)
    return np.roll(np.moveaxis(total / count, -1, 0), (-shift[0], -shift[1]), (1, 2)).astype(picture.dtype)


def ramp(tile: int, overlap: int) -> NDArray[np.float64]:
    """The weight of each place of a tile: 1, falling linearly over ``overlap`` places to both ends, never 0."""
    ends = np.minimum(np.arange(tile), np.arange(tile)[::-1]) + 1.0
    return np.minimum(ends / (overlap + 1), 1.0)
