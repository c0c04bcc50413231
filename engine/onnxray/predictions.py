"""What a classifier says: the winning classes, their words, probabilities and scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from onnxray.batching import Array
from onnxray.errors import InputError


@dataclass(frozen=True)
class Predictions:
    """What the judge says of a batch.

    ``classes``: (N,) the winning class of each image by the file itself. ``probabilities``: (N, K), float64.
    ``scores``: (N, K), before the softmax; read by a second, cut session when first asked for, where the file itself
    ends in a softmax. ``labels``: the winning class in words, or its number where the profile has no labels.
    """

    classes: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    labels: tuple[str, ...]
    read_scores: Callable[[], NDArray[np.float64]]

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """Scores before the softmax."""
        return self.read_scores()


def per_class(raw: Array, name: str) -> NDArray[np.float64]:
    """(N, K) from (N, K) or (N, K, 1, 1); anything else is no classifier's output. Errors: InputError."""
    if raw.dtype.kind not in "fiub":
        raise InputError(f"output {name!r} holds {raw.dtype}, not one score a class; read it with `onnxray values`")
    scores = raw.astype(np.float64)
    if scores.ndim >= 2 and scores.size == scores.shape[0] * scores.shape[1]:
        scores = scores.reshape(scores.shape[:2])
    if scores.ndim != 2 or not scores.size:
        raise InputError(
            f"output {name!r} has the shape {list(raw.shape)}, not one score a class; read it with `onnxray values`"
        )
    if np.isnan(scores).any():
        raise InputError(f"output {name!r} holds NaN, so no class can be told; are there NaN in the weights?")
    if np.isinf(scores.max(1)).any():  # minus infinity marks a class that is ruled out, beside others
        raise InputError(f"output {name!r} holds infinity as its largest score, so no class can be told")
    return scores


def softmax_of(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(s) / sum exp(s) along axis 1, of (N, K)."""
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
