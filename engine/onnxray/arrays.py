"""Array types, once for all, and places that are spread over an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


Arrays = Mapping[str, Array]


Image8 = NDArray[np.uint8]


Floats = NDArray[np.float64]


def spread_places(count: int, most: int) -> NDArray[np.int64]:
    """At most so many of the places 0 to count - 1, evenly apart, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(np.int64))
