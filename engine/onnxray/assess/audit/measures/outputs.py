"""Two answers of a file to the same sample, compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxray.arrays import Array


def apart(one: Mapping[str, Array], other: Mapping[str, Array]) -> tuple[bool, float]:
    """Whether outputs are the same bytes, and the largest difference of real ones, relative to the largest number.

    Where shapes or texts differ, or one alone is NaN, the difference is 1 at least.
    """
    same, largest = True, 0.0
    for name, array in one.items():
        a, b = np.asarray(array), np.asarray(other[name])
        if (
            a.dtype == b.dtype
            and a.shape == b.shape
            and (a.tolist() == b.tolist() if a.dtype.kind == "O" else a.tobytes() == b.tobytes())
        ):
            continue
        same = False
        if a.shape != b.shape or a.dtype.kind not in "fiub":
            largest = max(largest, 1.0)
            continue
        x, y = a.astype(np.float64), b.astype(np.float64)
        with np.errstate(invalid="ignore"):
            gap = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
        most = np.abs(x[np.isfinite(x)]).max(initial=0.0)
        relative = gap.max(initial=0.0) / most if most else gap.max(initial=0.0)
        largest = max(largest, float(relative) if np.isfinite(relative) else 1.0)
    return same, largest
