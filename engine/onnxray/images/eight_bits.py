"""Rounding to the 8 bits that are saved and judged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError


def to_uint8(array: NDArray[Any]) -> NDArray[np.uint8]:
    """clip(rint(x), 0, 255), halves to the even neighbour: the 8-bit image that is saved and judged.

    Errors: InputError if a value is not a number.
    """
    if array.dtype == np.uint8:
        return array
    rounded = np.rint(array)
    if np.isnan(rounded.min(initial=0)):
        raise InputError(f"pixels of shape {array.shape} hold NaN; expected numbers")
    return np.asarray(rounded.clip(0, 255, out=rounded), np.uint8)
