"""The first principal component of a layer's maps: what stands out among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float64]


def first_component(maps: Maps) -> Maps:
    """(h, w) of one image's (channels, h, w): (A - mean A) v, v the first right singular vector of A - mean A.

    A has a row a place, whose mean is taken off. A singular vector has no sign of its own: it is LAPACK's here.
    """
    places = maps.reshape(len(maps), -1).T
    places = places - places.mean(0)
    directions = np.linalg.svd(places, full_matrices=False)[2]
    return np.asarray((places @ directions[0]).reshape(maps.shape[1:]))
