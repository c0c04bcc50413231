"""What the labels of the nearest say: how many share a picture's own, and whether the majority does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def shared_labels(
    places: NDArray[np.int64], labels: Sequence[str | None], theirs: Sequence[str | None]
) -> tuple[list[float], list[bool]]:
    """Of each query with a label and a neighbour with one: the share of such neighbours whose label is the query's, and
    whether the most frequent of their labels is; of labels that are as frequent, the nearest's.

    places: (queries, k) of those whose labels are ``theirs``, the nearest first. labels: of the queries.
    """
    shares, right = list[float](), list[bool]()
    for row, own in enumerate(labels):
        near = [label for label in (theirs[place] for place in places[row]) if label is not None]
        if own is not None and near:
            shares.append(float(np.mean([label == own for label in near])))
            right.append(majority(near) == own)
    return shares, right


def majority(labels: Sequence[str]) -> str:
    """The most frequent of some labels; of those that are as frequent, the first."""
    return max(labels, key=lambda one: (labels.count(one), -labels.index(one)))
