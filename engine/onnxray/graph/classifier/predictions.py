"""What a classifier says: the winning classes, their words, probabilities and scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array
from onnxray.graph.classifier.readings import Head


@dataclass(frozen=True)
class Predictions:
    """What the judge says of a batch.

    ``classes``: (N,) the winning class of each image by the file itself. ``probabilities``: (N, K), float64; each by
    itself where a sigmoid closes the graph. ``scores``: (N, K), before the softmax or sigmoid; read by a second, cut
    session when first asked for, where the file itself ends in one. ``labels``: the winning class in words, or its
    number where the profile has no labels. ``head``: how both are read off the file's values; ``logits``: what the
    value of the scores holds, as it is. ``notes``: what was done to the images, what is odd about them, and whether the
    file mixes the samples of a batch.
    """

    classes: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    labels: tuple[str, ...]
    head: Head
    read_logits: Callable[[], Array]
    per_class: Callable[[Array], NDArray[np.float64]]
    image_notes: tuple[str, ...] = ()
    batch_note: Callable[[], str | None] = lambda: None

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What should be known of the images and of the batch; found out when first asked for."""
        said = self.batch_note() if len(self.classes) > 1 else None
        return self.image_notes if said is None else (*self.image_notes, said)

    @cached_property
    def logits(self) -> Array:
        """The value that the scores are read from."""
        return self.read_logits()

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """Scores before the softmax or sigmoid."""
        return self.per_class(self.logits)
