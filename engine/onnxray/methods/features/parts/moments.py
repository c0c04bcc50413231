"""How much of the variance of a code is of a factor, and whether a linear map follows it.

Codes F(i, t) of picture i at level t, with their mean taken off (Aubry, Russell 2015, section 3; two-way analysis of
variance):

    factor = mean_t |mean_i F|^2       picture = mean_i |mean_t F|^2       interaction = mean_it |F|^2 - both

as shares of mean_it |F|^2. Distances are root mean squares over pictures, in units of that between two pictures:

    moved(t) = sqrt(mean_i |F(i, t) - F(i, own)|^2 / mean_{i != j} |F(i, own) - F(j, own)|^2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@final
class Moments:
    """Sums over pictures of one layer's codes at the levels of one factor. own: the place of the picture itself."""

    def __init__(self, levels: int, numbers: int, own: int) -> None:
        self.own, self.pictures = own, 0
        self.sums, self.apart = np.zeros((levels, numbers)), np.zeros(levels)
        self.squares = self.of_pictures = self.own_squares = 0.0

    def add(self, codes: NDArray[Any]) -> None:
        """One picture's codes at all levels, (levels, numbers)."""
        wide = codes.astype(np.float64)
        self.pictures += 1
        self.sums += wide
        self.squares += float(np.square(wide).sum()) / len(wide)
        self.of_pictures += float(np.square(wide.mean(0)).sum())
        self.own_squares += float(np.square(wide[self.own]).sum())
        self.apart += np.square(wide - wide[self.own]).sum(1)

    def shares(self) -> dict[str, float] | None:
        """Of factor, picture and interaction; None where nothing varies."""
        n = self.pictures
        means = self.sums / n
        grand = float(np.square(means.mean(0)).sum())
        total = self.squares / n - grand
        if total <= 1e-12 * max(self.squares / n, np.finfo(np.float64).tiny):
            return None
        factor = max(0.0, float(np.square(means).sum(1).mean()) - grand)
        picture = max(0.0, self.of_pictures / n - grand)
        interaction = max(0.0, total - factor - picture)
        return {name: part / total for name, part in zip(
            ("factor", "picture", "interaction"), (factor, picture, interaction)
        )}  # fmt: skip

    def between(self) -> float:
        """The mean square between two pictures as they are; 0 of one alone."""
        n = self.pictures
        if n <= 1:
            return 0.0
        own = self.sums[self.own] / n
        return max(0.0, 2 * n / (n - 1) * (self.own_squares / n - float(np.square(own).sum())))

    def moved(self) -> Floats | None:
        """For each level, in units of what is between two pictures; None where there is nothing between them."""
        between = self.between()
        return None if between <= 0 else np.sqrt(self.apart / self.pictures / between)

    def relative(self) -> Floats | None:
        """For each level, as a share of the codes' own length; None where that is 0."""
        return None if self.own_squares <= 0 else np.sqrt(self.apart / self.own_squares)


@dataclass(frozen=True, kw_only=True)
class LinearMap:
    """How well F(T x) = M F(x) + b holds on pictures that M and b were not found on: R^2, and that of M = 1, b = 0."""

    r2: float
    unchanged_r2: float
    found_on: int
    tested_on: int


def linear_map(before: NDArray[Any], after: NDArray[Any]) -> LinearMap | None:
    """Ridge regression of codes ``after`` on ``before``, (pictures, numbers), on every second picture.

        M = P + (Y - P X)^T (K + s I)^-1 X,       K = X X^T,       R^2 = 1 - sum |Y' - M X' - b|^2 / sum |Y' - mean Y|^2

    P: what M is drawn to, 0 or 1, and s, how strongly: those with the least error on pictures left out one by one. None
    where what is tested on does not vary.
    """
    x, y = (np.asarray(codes, np.float64) for codes in (before, after))
    learnt, tested = np.arange(0, len(x), 2), np.arange(1, len(x), 2)
    mean_x, mean_y = x[learnt].mean(0), y[learnt].mean(0)
    whole = float(np.square(y[tested] - mean_y).sum())
    if whole <= 0 or not len(tested):
        return None
    xs, ys = x[learnt] - mean_x, y[learnt] - mean_y
    values, vectors = np.linalg.eigh(xs @ xs.T)
    scale = max(float(values[-1]), np.finfo(np.float64).tiny)
    best, prior, weights = np.inf, 0, np.zeros_like(ys)
    for drawn_to in (0, 1):
        rest = ys - drawn_to * xs
        errors = rest @ rest.T
        for strength in scale * 10.0 ** np.arange(-6, 3):
            one = (vectors / (np.maximum(values, 0) + strength)) @ vectors.T
            left_out = float((np.einsum("ij,jk,ki->i", one, errors, one) / np.square(np.diag(one))).sum())
            if left_out < best:
                best, prior, weights = left_out, drawn_to, one @ rest
    apart = x[tested] - mean_x
    predicted = (apart @ xs.T) @ weights + prior * apart + mean_y
    missed = float(np.square(y[tested] - predicted).sum())
    unchanged = float(np.square(y[tested] - x[tested]).sum())
    return LinearMap(
        r2=1 - missed / whole, unchanged_r2=1 - unchanged / whole, found_on=len(learnt), tested_on=len(tested)
    )
