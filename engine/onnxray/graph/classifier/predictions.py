"""What a classifier says: the winning classes, their words, probabilities and scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.graph.classifier.readings import Head


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """What the judge says of one image: the winning class, its label, its score and its probability.

    score: before the softmax or sigmoid; None where no scores were read.
    """

    class_: int
    label: str
    score: float | None
    probability: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassScores:
    """Scores before the softmax or sigmoid. ``logits``: the value of that name as it is; ``scores``: (N, K), of it."""

    logits: Array
    scores: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What the judge says of a batch; numbers and words alone, so it pickles and holds nothing of what was fed.

    ``classes``: (N,) the winning class of each image by the file itself. ``probabilities``: (N, K), float64; each by
    itself where a sigmoid closes the graph. ``labels``: the winning class in words, or its number where the profile has
    no labels. ``head``: how probabilities and scores are read off the file's values. ``notes``: what was done to the
    images, what is odd about them, and whether the file mixes the samples of a batch. ``read``: logits and scores,
    where they were asked for or are the output itself.
    """

    classes: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    labels: tuple[str, ...]
    head: Head
    notes: tuple[str, ...] = ()
    read: ClassScores | None = None

    @property
    def logits(self) -> Array:
        """The value that the scores are read from. Errors: InputError where it was not asked for."""
        return self._asked_for().logits

    @property
    def scores(self) -> NDArray[np.float64]:
        """(N, K): scores before the softmax or sigmoid. Errors: InputError where they were not asked for."""
        return self._asked_for().scores

    def row(self, index: int) -> Prediction:
        """What is said of one image."""
        winner = int(self.classes[index])
        return Prediction(
            class_=winner,
            label=self.labels[index],
            score=None if self.read is None else float(self.read.scores[index, winner]),
            probability=float(self.probabilities[index, winner]),
        )

    def _asked_for(self) -> ClassScores:
        if self.read is None:
            raise InputError(
                "these predictions were made without scores; ask for them: model.predict(images, scores=True)"
            )
        return self.read
