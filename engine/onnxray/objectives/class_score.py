"""The score of a class, and a label kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, NotDifferentiable
from onnxray.errors.type_checks import check_kind
from onnxray.graph.classifier.readings import Head, Reading
from onnxray.objectives.objective import Each, Index, Objective, namespace, numbers_from_0, one_for_each

Score = Literal["logit", "log-probability", "probability", "margin"]


@dataclass(frozen=True, eq=False)
class ClassScore(Objective):
    """The score of a class for each sample, or of one for all; z are the logits, p the probabilities of a ``head``.

    logit z_c;  log-probability log p_c;  probability p_c;  margin z_c - max_{j != c} z_j, j in the softmax of c
    where the file has several, else any class. value: the logits. head: where left out, p = softmax(z).
    """

    value: str
    classes: Index | int
    kind: Score = "logit"
    labels: tuple[str, ...] = field(default=(), repr=False)
    head: Head | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_kind("the value of a ClassScore", self.value, str)
        check_kind("the kind of a ClassScore", self.kind, Score)
        object.__setattr__(self, "classes", numbers_from_0("the classes of a ClassScore", self.classes))

    @property
    def count(self) -> int | None:
        """One sample a class."""
        return len(self.classes) if isinstance(self.classes, np.ndarray) and self.classes.ndim else None

    def of_samples(self, count: int) -> Index:
        """(count,): the class of each. Errors: InputError where it is for another number of samples."""
        return one_for_each("class", self.classes, np.arange(count))

    @property
    def reading(self) -> Reading:
        """How the value that it reads is read."""
        if self.head is None:
            return Reading(value=self.value)
        return self.head.probabilities if "probability" in self.kind else self.head.logits

    @property
    def values(self) -> tuple[str, ...]:
        """The logits, or what the probabilities are computed from."""
        return (self.reading.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The class's score in the kind asked for. Errors: InputError where there is none."""
        reading = self.reading
        classes = one_for_each("class", self.classes, np.arange(place.start, place.stop))
        array = values[reading.value]
        if len(array) != len(classes):
            raise InputError(
                f"{reading.value!r} has the shape {list(array.shape)} for {len(classes)} samples, no scores of each"
            )
        xp, rows = namespace(array), np.arange(len(classes))
        z = reading.real(array)

        def own(numbers: Any) -> Any:
            flat = numbers.reshape(len(numbers), -1)
            if classes.max(initial=0) >= flat.shape[1]:
                raise InputError(
                    f"there is no class {classes.max()} in {reading.value!r}; it has {flat.shape[1]}, 0 to "
                    f"{flat.shape[1] - 1}"
                )
            return flat[rows, classes]

        if self.kind == "logit":
            return own(z)
        if self.kind == "probability":
            return own(reading.probabilities(z, xp))
        if self.kind == "log-probability":
            # Of probabilities that a file rounds the own alone: the slope at one of zero is infinite.
            found = xp.log(own(z)) if reading.form == "probability" else own(reading.logarithms(z, xp))
            if (found == -np.inf).any():
                row = int((found == -np.inf).nonzero()[0][0])
                raise InputError(
                    f"the {self.rows(np.arange(place.start, place.stop)).describe(row)} is minus infinity: its "
                    f"probability is 0 in {reading.value!r}; use --score probability or logit"
                )
            return found
        ruled_out = np.zeros((len(classes), int(np.prod(z.shape[1:]))), z.dtype if xp is np else np.float32)
        ruled_out[rows, classes] = np.inf
        others = z - (ruled_out if xp is np else xp.as_tensor(ruled_out, device=z.device)).reshape(z.shape)
        best = xp.amax(others, axis=reading.axes(z), keepdims=True)
        if (best == -np.inf).any():
            raise InputError(f"{reading.value!r} has no class that rules another out, so no margin; use --score logit")
        return own(z - best)

    def rows(self, index: Index) -> Objective:
        """The classes of these rows."""
        labels = tuple(self.labels[k if np.ndim(self.classes) else 0] for k in index) if self.labels else ()
        return replace(self, classes=one_for_each("class", self.classes, index), labels=labels)

    def describe(self, row: int) -> str:
        """Kind, class and label."""
        number = int(one_for_each("class", self.classes, np.array([row]))[0])
        label = self.labels[row if np.ndim(self.classes) else 0] if self.labels else str(number)
        return f"{self.kind} of class {number}" + (f" ({label})" if label != str(number) else "")


def in_one_batch(objectives: Sequence[Objective]) -> Objective:
    """One objective whose rows are those of objectives for a batch of one."""
    if all(isinstance(one, ClassScore) for one in objectives):
        scores = [one for one in objectives if isinstance(one, ClassScore)]
        first = scores[0]
        if all((one.value, one.kind, one.head) == (first.value, first.kind, first.head) for one in scores):
            labels = tuple(label for one in scores for label in one.labels)
            return replace(first, classes=np.concatenate([one.of_samples(1) for one in scores]), labels=labels)
    return Each(tuple(objectives))


@dataclass(frozen=True, eq=False)
class LabelKept(Objective):
    """1 where a sample's label is the given one, else 0: for classifiers that give a label and no scores.

    It is read by the judge alone and has no gradient. ``expected`` is (N,), numbers or text.
    """

    value: str
    expected: NDArray[Any]

    @property
    def values(self) -> tuple[str, ...]:
        """The label."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """1.0 or 0.0. Errors: NotDifferentiable in the twin."""
        labels = values[self.value]
        if not isinstance(labels, np.ndarray):
            raise NotDifferentiable(f"{self.value!r} is a label without scores; it has no gradient")
        return (labels.reshape(-1) == self.expected[place]).astype(np.float64)

    def rows(self, index: Index) -> Objective:
        """The labels of these rows."""
        return replace(self, expected=self.expected[index])

    def describe(self, row: int) -> str:
        """The label."""
        return f"label {self.expected[row]} kept"
