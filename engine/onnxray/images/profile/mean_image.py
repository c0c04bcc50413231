"""A mean that is taken off pixel by pixel, as Caffe's binaryproto holds it."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import ProfileError


@dataclass(frozen=True, slots=True, eq=False)
class MeanImage:
    """A mean of shape (C, H, W) in the model's channel order; two are equal when their sha256 are.

    array: read-only, finite. path: the .npy file it was read from, if any. sha256: of that file's bytes, or of the
    bytes ``numpy.save`` would write.
    """

    array: NDArray[np.floating[Any]]
    path: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        # A copy: the caller's array stays writable and may change.
        array = np.array(self.array, dtype=np.float64 if self.array.dtype == np.float64 else np.float32, order="C")
        if array.ndim != 3 or not np.isfinite(array).all():
            raise ProfileError(
                f"mean image {self.path or 'given as an array'}: shape {self.array.shape}; "
                "expected finite numbers of shape (channels, height, width)"
            )
        array.flags.writeable = False
        object.__setattr__(self, "array", array)
        if not self.sha256:
            object.__setattr__(self, "sha256", hashlib.sha256(self.npy_bytes()).hexdigest())

    def npy_bytes(self) -> bytes:
        """Return what ``numpy.save`` writes for the array."""
        stream = io.BytesIO()
        np.save(stream, self.array, allow_pickle=False)
        return stream.getvalue()

    def __eq__(self, other: object) -> bool:
        return self.sha256 == other.sha256 if isinstance(other, MeanImage) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.sha256)
