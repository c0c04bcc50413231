"""A signed change as a grey picture: nothing is mid-grey."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.errors import InputError


def signed_to_grey(delta: NDArray[Any], gain: float | None = None) -> tuple[Image8, float]:
    """clip(round(128 + gain * delta), 0, 255): a perturbation as a picture, with mid-grey where nothing changes.

    ``delta`` is CHW in any unit. ``gain`` defaults to 127 / max|delta|, which uses the whole range (1 where delta is
    zero), and is returned beside the uint8 picture, since without it the picture tells no magnitudes. InputError for
    values that are not finite and for a gain that is not positive.
    """
    change = np.asarray(delta, dtype=np.float64)
    largest = float(np.max(np.abs(change), initial=0.0))
    if not math.isfinite(largest):
        raise InputError("a perturbation has values that are not finite")
    if gain is None:
        gain = 127.0 / largest if largest > 1e-300 else 1.0
    if not (math.isfinite(gain) and gain > 0.0):
        raise InputError(f"the gain of a perturbation's picture is {gain}; expected a positive number")
    return np.rint(np.clip(128.0 + gain * change, 0.0, 255.0)).astype(np.uint8), float(gain)
