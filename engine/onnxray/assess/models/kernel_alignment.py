"""How alike two layers arrange the same pictures: CKA without bias, exactly, block by block; and Procrustes' measure.

    CKA(X, Y)   = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)),    K = X X^T, L = Y Y^T with zeros on their diagonals
    HSIC(K, L)  = [tr(K L) + (1^T K 1)(1^T L 1) / ((n - 1)(n - 2)) - 2 (1^T K L 1) / (n - 2)] / (n (n - 3))
    Procrustes  = |X^T Y|_* of X and Y centred and of length 1: the most that Y's rotation onto X leaves in common

X, Y: (n pictures, numbers). CKA: Kornblith et al. 2019 (arXiv 1905.00414) with the estimate of Song et al. 2012, whose
mean over independent layers is 0; 1 for a layer with itself, whatever rotation, scale or shift; it may fall below 0.
Each term of HSIC is a sum over pairs of pictures, or of rows' sums: they are gathered from tiles of pairs, so that the
number is that of all pictures at once, never a mean over batches, and no more than tiles of K and L are in memory.
|X^T Y|_*: the sum of singular values, of K^(1/2) L^(1/2) here, which has the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[Any]
"""(pictures, numbers), which may lie in a file."""
Floats = NDArray[np.float64]

FEWEST: Final = 4
"""Pictures, below which the estimate is not defined."""
_HELD: Final = 2**22
"""Numbers of a layer that are held at a time, as float64."""
_BLOCK: Final = 512
_LEAST: Final = 1e-12
"""Of the square of the pictures' mean squared length, below which a layer says the same of all."""


def cka(
    own: Sequence[Codes], others: Sequence[Codes], *, block: int | None = None,
    tick: Callable[[int, int], None] = lambda *_: None,
) -> Floats:  # fmt: skip
    """(own, others): CKA of every pair of layers; NaN of a layer that says the same of all pictures.

    block: pictures of a tile, on which no number depends; by default as many as memory allows. tick: tiles done, of
    all. Errors: ValueError below 4 pictures.
    """
    layers = [*own, *others]
    count = len(layers[0])
    if count < FEWEST:
        raise ValueError(f"{count} pictures; {FEWEST} or more were expected")
    size = block or int(np.clip(_HELD // max(codes.shape[1] for codes in layers), 1, _BLOCK))
    means = [_mean(codes, size) for codes in layers]
    tiles = list(combinations_with_replacement(range(-(-count // size)), 2))
    products, rows = np.zeros((len(layers), len(layers))), np.zeros((len(layers), count))
    squares = np.zeros(len(layers))
    for done, (i, j) in enumerate(tiles):
        one, other = slice(i * size, (i + 1) * size), slice(j * size, (j + 1) * size)
        grams = []
        for k, (codes, mean) in enumerate(zip(layers, means)):
            left = codes[one] - mean
            gram = left @ (left if i == j else codes[other] - mean).T
            if i == j:
                squares[k] += np.trace(gram)
                np.fill_diagonal(gram, 0)
            rows[k, one] += gram.sum(1)
            if i != j:
                rows[k, other] += gram.sum(0)
            grams.append(gram.reshape(-1))
        stacked = np.stack(grams)
        products += (1 if i == j else 2) * (stacked @ stacked.T)
        tick(done + 1, len(tiles))
    return _quotients(_hsic(products, rows), squares / count, len(own))


def _hsic(products: Floats, rows: Floats) -> Floats:
    """Of all pairs. products: tr(K L); rows: K 1."""
    n, sums = rows.shape[1], rows.sum(1)
    parts = products + np.outer(sums, sums) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (rows @ rows.T)
    return np.asarray(parts / (n * (n - 3)))


def _quotients(hsic: Floats, lengths: Floats, own: int) -> Floats:
    self_ = np.diag(hsic)
    scale = np.where(self_ > _LEAST * np.square(lengths), np.sqrt(np.maximum(self_, 0)), np.nan)
    return np.asarray((hsic / np.outer(scale, np.where(scale == 0, np.nan, scale)))[:own, own:])


def _mean(codes: Codes, size: int) -> Floats:
    total = np.zeros(codes.shape[1])
    for part in _parts(codes, size):
        total += part.sum(0, dtype=np.float64)
    return total / len(codes)


def _parts(codes: Codes, size: int) -> Iterator[Codes]:
    for start in range(0, len(codes), size):
        yield codes[start : start + size]


def root_of_gram(codes: Codes) -> Floats | None:
    """(n, n): K^(1/2) of codes that are centred and of length 1; None of those that are all the same."""
    count, numbers = codes.shape
    size = max(1, _HELD // count)
    gram = np.zeros((count, count))
    for start in range(0, numbers, size):
        part = np.asarray(codes[:, start : start + size], np.float64)
        part = part - part.mean(0)
        gram += part @ part.T
    whole = float(np.trace(gram))
    largest = float(np.abs(codes).max(initial=0))
    if whole <= _LEAST * largest**2 * count * numbers:
        return None
    values, vectors = np.linalg.eigh(gram / whole)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T)


def procrustes(one: Floats | None, other: Floats | None) -> float | None:
    """Between 0 and 1, which is a rotation and a scale of the same. one, other: of ``root_of_gram``."""
    if one is None or other is None:
        return None
    return min(1.0, float(np.linalg.svd(one @ other, compute_uv=False).sum()))
