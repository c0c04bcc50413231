"""Facets of a class: the kinds of images that there are of it, and the mean of each (Nguyen, Yosinski, Clune 2016).

    codes c_n = f(x_n);   50 principal components;   k-means;   start_k = mean of the 15 x_n nearest to centre k

The authors lay the components out in two dimensions by t-SNE before they cluster. Here the components themselves are
clustered: nothing of a layout's chance is in the facets, and the same seed gives the same ones. The 15 are of the
cluster's own images, fewer where it has fewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError

Floats = NDArray[np.float64]

_COMPONENTS = 50
_NEAREST = 15
_STARTS, _ROUNDS = 10, 100


@dataclass(frozen=True, kw_only=True, eq=False)
class Facet:
    """One kind of image. mean: float32 (C, H, W); count: of its images; nearest: the rows that the mean is of."""

    mean: NDArray[np.float32]
    count: int
    nearest: tuple[int, ...]


def facets(
    codes: NDArray[np.float64], images: NDArray[np.float32], count: int, random: np.random.Generator
) -> tuple[Facet, ...]:
    """``count`` facets of images (N, C, H, W) by their codes (N, ...), the largest first.

    Errors: InputError for fewer different codes than facets, and codes that are not finite.
    """
    flat = codes.reshape(len(codes), -1)
    if not np.isfinite(flat).all():
        raise InputError("the codes of the images hold NaN or infinity; read them at another value: --facets-layer")
    points = principal(flat, _COMPONENTS)
    size = np.abs(flat).max() or 1.0  # equal images in different batches may differ by what float32 rounds
    different = len(np.unique((points / size).round(6), axis=0))
    if different < count:
        raise InputError(
            f"facets is {count}; the {len(images)} images have {different} different codes: give more images, or ask "
            "for fewer facets"
        )
    labels, centres = k_means(points, count, random)
    found = []
    for k in range(count):
        own = np.flatnonzero(labels == k)
        distances = ((points[own] - centres[k]) ** 2).sum(1)
        nearest = own[np.argsort(distances, kind="stable")[:_NEAREST]]
        mean = images[nearest].astype(np.float64).mean(0).astype(np.float32)
        found.append(Facet(mean=mean, count=len(own), nearest=tuple(nearest.tolist())))
    return tuple(sorted(found, key=lambda facet: (-facet.count, facet.nearest)))


def principal(points: Floats, count: int) -> Floats:
    """(N, min(count, N, d)): U S of the centred points, the components of the largest variance first.

    Each component's sign is such that its largest number is positive.
    """
    centred = points - points.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    found = (left * sizes)[:, :count]
    largest = found[np.abs(found).argmax(0), np.arange(found.shape[1])]
    return np.asarray(found * np.where(largest < 0, -1, 1))


def k_means(points: Floats, count: int, random: np.random.Generator) -> tuple[NDArray[np.int64], Floats]:
    """Labels (N,) and centres (count, d) of the least sum of squared distances out of ten starts.

    Lloyd's rounds from the seeds of k-means++ (Arthur & Vassilvitskii 2007). No cluster is empty; there are to be as
    many different points as clusters.
    """
    best: tuple[float, NDArray[np.int64], Floats] | None = None
    for _ in range(_STARTS):
        labels, centres, spread = _lloyd(points, _seeds(points, count, random))
        if best is None or spread < best[0]:
            best = spread, labels, centres
    assert best is not None
    return best[1], best[2]


def _seeds(points: Floats, count: int, random: np.random.Generator) -> Floats:
    """Points far from each other: each drawn by the square of its distance to those before."""
    chosen = [int(random.integers(len(points)))]
    for _ in range(count - 1):
        distances = _squares(points, points[chosen]).min(1)
        chosen.append(int(random.choice(len(points), p=distances / distances.sum())))
    return points[chosen]


def _lloyd(points: Floats, centres: Floats) -> tuple[NDArray[np.int64], Floats, float]:
    labels = np.full(len(points), -1)
    for _ in range(_ROUNDS):
        squares = _squares(points, centres)
        before, labels = labels, squares.argmin(1)
        for k in range(len(centres)):
            if not (labels == k).any():  # an empty cluster takes the point that is worst off where it is not alone
                alone = np.bincount(labels, minlength=len(centres))[labels] == 1
                own = squares[np.arange(len(points)), labels]
                labels[np.where(alone, -1, own).argmax()] = k
        centres = np.stack([points[labels == k].mean(0) for k in range(len(centres))])
        if (labels == before).all():
            break
    spread = float(((points - centres[labels]) ** 2).sum())
    return labels, centres, spread


def _squares(points: Floats, centres: Floats) -> Floats:
    """(N, k): squared distances."""
    return np.asarray(((points[:, None] - centres[None]) ** 2).sum(2))
