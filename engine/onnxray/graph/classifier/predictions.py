"""What a classifier says: the winning classes, their words, probabilities and scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array
from onnxray.graph.classifier.readings import Head
from onnxray.graph.outputs.facts import OutputKind

_HALF = 0.5


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
    """What the judge says of a batch.

    ``classes``: (N,) the winning class of each image by the file itself. ``probabilities``: (N, K), float64; each by
    itself where a sigmoid closes the graph, two of one number (binary: the first is what the second is not).
    ``labels``: the winning class in words, or its number where there are no words. ``head``: how probabilities and
    scores are read off the file's values. ``kind``: what the ``output`` is: classes, binary, multi-label, logits or
    probabilities. ``notes``: what was done to the images, what is odd about them, and whether the file mixes the
    samples of a batch. ``read``: gives logits and scores; where they were not asked for at once, it holds the fed batch
    until they are. A pickle holds them read.
    """

    classes: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    labels: tuple[str, ...]
    head: Head
    kind: OutputKind = "classes"
    output: str = ""
    notes: tuple[str, ...] = ()
    read: Callable[[], ClassScores] = field(repr=False)

    @property
    def logits(self) -> Array:
        """The value that the scores are read from."""
        return self._read.logits

    @property
    def scores(self) -> NDArray[np.float64]:
        """(N, K): scores before the softmax or sigmoid."""
        return self._read.scores

    def row(self, index: int, *, scored: bool = True) -> Prediction:
        """What is said of one image. scored: read its score, for which a second session may have to run."""
        winner = int(self.classes[index])
        return Prediction(
            class_=winner,
            label=self.labels[index],
            score=float(self.scores[index, winner]) if scored else None,
            probability=float(self.probabilities[index, winner]),
        )

    def __len__(self) -> int:
        return len(self.classes)

    def describe(self, index: int) -> str:
        """What is said of one image, in one line; of several labels those above a half."""
        if self.kind == "multi-label":
            above = np.flatnonzero(self.probabilities[index] > _HALF)
            return f"{len(above)} of {self.probabilities.shape[1]} labels: {', '.join(map(str, above)) or 'none'}"
        return f"{self.labels[index]}, probability {self.probabilities[index, self.classes[index]]:.4f}"

    def numbers(self, index: int) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "class": int(self.classes[index]), "label": self.labels[index],
            "probability": float(self.probabilities[index, self.classes[index]]),
        }  # fmt: skip

    @property
    def _read(self) -> ClassScores:
        if not isinstance(self.read, Known):
            object.__setattr__(self, "read", Known(self.read()))  # what was fed is let go of
        return self.read()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "read": Known(self._read)}


@dataclass(frozen=True, eq=False)
class Known:
    """Scores that are read already."""

    scores: ClassScores

    def __call__(self) -> ClassScores:
        """Give them."""
        return self.scores
