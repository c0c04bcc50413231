"""What a classifier says: the winning classes, their words, probabilities and scores."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.classifier.readings import Head
from onnxray.graph.outputs.facts import OutputKind
from onnxray.notebooks.displayed import Displayed, one_line
from onnxray.notebooks.tables import Tabular, data_frame, write_csv

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
class Predictions(Displayed, Tabular):
    """What the judge says of a batch. ``top`` lists the classes of each image; ``to_pandas`` and ``to_csv`` too.

    ``classes``: (N,) the winning class of each image by the file itself. ``probabilities``: (N, K), float64; each by
    itself where a sigmoid closes the graph, two of one number (binary: the first is what the second is not).
    ``labels``: the winning class in words, or its number where there are no words. ``head``: how probabilities and
    scores are read off the file's values. ``kind``: what the ``output`` is: classes, binary, multi-label, logits or
    probabilities. ``notes``: what was done to the images, what is odd about them, and whether the file mixes the
    samples of a batch. ``words``: a word for each class, None where there are none; ``paths``: where each image was
    read from, None where it came from memory. ``read``: gives logits and scores; where they were not asked for at once,
    it holds the fed batch until they are. A pickle holds them read.
    """

    classes: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    labels: tuple[str, ...]
    head: Head
    kind: OutputKind = "classes"
    output: str = ""
    notes: tuple[str, ...] = ()
    words: tuple[str, ...] | None = None
    paths: tuple[str | None, ...] = ()
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

    def top(self, k: int = 5, *, scored: bool = False) -> tuple[tuple[Prediction, ...], ...]:
        """The ``k`` likeliest classes of each image, most probable first; of equal ones the lower number first.

        scored: read their scores too. Errors: InputError where ``k`` is no whole number from 1.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise InputError(f"k is {short(k)}; a whole number from 1 was expected")
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :k]
        return tuple(
            tuple(
                Prediction(
                    class_=place,
                    label=self.labels[index] if place == self.classes[index] else self._word(place),
                    score=float(self.scores[index, place]) if scored else None,
                    probability=float(self.probabilities[index, place]),
                )
                for place in own.tolist()
            )
            for index, own in enumerate(order)
        )

    def rows(self, top: int = 1) -> list[dict[str, Any]]:
        """A row for each image and each of its ``top`` likeliest classes: image, path, rank, class, label, probability.

        With one, the winning class as the file decides; else by probability. Errors: as for ``top``.
        """
        listed = self.top(top) if top != 1 else [(self.row(index, scored=False),) for index in range(len(self))]
        paths = self.paths or (None,) * len(self)
        return [
            {
                "image": index, "path": paths[index], "rank": rank, "class": one.class_, "label": one.label,
                "probability": one.probability,
            }
            for index, own in enumerate(listed)
            for rank, one in enumerate(own, 1)
        ]  # fmt: skip

    def to_pandas(self, top: int = 1) -> Any:
        """``rows(top)`` as a pandas.DataFrame. Errors: InputError where pandas is not installed; as for ``top``."""
        return data_frame(self.rows(top))

    def to_csv(self, path: str | os.PathLike[str], top: int = 1) -> None:
        """``rows(top)`` as a CSV file. Errors: OutputError; as for ``top``."""
        write_csv(path, self.rows(top))

    def _word(self, place: int) -> str:
        return str(place) if self.words is None else self.words[place]

    def __len__(self) -> int:
        return len(self.classes)

    def __repr__(self) -> str:
        first = f": {self.describe(0)}" if len(self) else ""
        more = ", ..." if len(self) > 1 else ""
        count, classes = self.probabilities.shape
        return one_line(self, f"{count} of {classes} classes{first}{more}")

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
