"""What a classifier says: the winning classes, their words, probabilities and scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


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
