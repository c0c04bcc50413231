"""What is differentiated or scored: a real number for each sample, computed from named values.

Objectives are frozen values that compose: ``a + b``, ``a - b``, ``2 * a``. They take numpy arrays (the judge) and torch
tensors (the twin) alike, so that what a map explains and what an occlusion measures is written once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, NotDifferentiable
from onnxray.naming import Selection
from onnxray.readings import Head, Reading

Score = Literal["logit", "log-probability", "probability", "margin"]
Index = NDArray[np.int64]


class Objective(ABC):
    """A real number for each sample of a batch. Parameters that differ from sample to sample have one row for each."""

    @property
    @abstractmethod
    def values(self) -> tuple[str, ...]:
        """The values that it reads, by their ONNX names."""

    @abstractmethod
    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """(n,) from values of n samples, which stand at ``place`` in the batch; numpy or torch, as it was given."""

    @abstractmethod
    def rows(self, index: Index) -> Objective:
        """The same objective for a batch made of these rows of this one's batch, repetitions allowed."""

    @abstractmethod
    def describe(self, row: int) -> str:
        """What it is for one sample, in words."""

    def __add__(self, other: Objective) -> Objective:
        return Sum(((1.0, self), (1.0, other)))

    def __sub__(self, other: Objective) -> Objective:
        return Sum(((1.0, self), (-1.0, other)))

    def __mul__(self, factor: float) -> Objective:
        return Sum(((float(factor), self),))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1.0


@dataclass(frozen=True, eq=False)
class Sum(Objective):
    """sum_k w_k o_k."""

    terms: tuple[tuple[float, Objective], ...]

    @property
    def values(self) -> tuple[str, ...]:
        """All that its terms read."""
        return tuple(dict.fromkeys(name for _, term in self.terms for name in term.values))

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The weighted sum."""
        parts = [weight * term.score(values, place) for weight, term in self.terms]
        return sum(parts[1:], start=parts[0])

    def rows(self, index: Index) -> Objective:
        """Each term's rows."""
        return Sum(tuple((weight, term.rows(index)) for weight, term in self.terms))

    def describe(self, row: int) -> str:
        """Each term with its weight."""
        return " + ".join(f"{weight:g} * {term.describe(row)}" for weight, term in self.terms)


@dataclass(frozen=True, eq=False)
class ClassScore(Objective):
    """The score of one class a sample; z are the logits, p the probabilities of a classifier's ``head``.

    logit z_c;  log-probability log p_c;  probability p_c;  margin z_c - max_{j != c} z_j, j in the softmax of c
    where the file has several, else any class. value: the logits. head: where left out, p = softmax(z).
    """

    value: str
    classes: Index
    kind: Score = "logit"
    labels: tuple[str, ...] = field(default=(), repr=False)
    head: Head | None = field(default=None, repr=False)

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
        reading, classes = self.reading, self.classes[place]
        array = values[reading.value]
        if len(array) != len(classes):
            raise InputError(
                f"{reading.value!r} has the shape {list(array.shape)} for {len(classes)} samples, no scores of each"
            )
        xp, rows = namespace(array), np.arange(len(classes))
        z = reading.real(array)

        def own(numbers: Any) -> Any:
            return numbers.reshape(len(numbers), -1)[rows, classes]

        if self.kind == "logit":
            return own(z)
        if self.kind == "probability":
            return own(reading.probabilities(z, xp))
        if self.kind == "log-probability":
            found = own(reading.logarithms(z, xp))
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
        labels = tuple(self.labels[k] for k in index) if self.labels else ()
        return replace(self, classes=self.classes[index], labels=labels)

    def describe(self, row: int) -> str:
        """Kind, class and label."""
        number = int(self.classes[row])
        label = self.labels[row] if self.labels else str(number)
        return f"{self.kind} of class {number}" + (f" ({label})" if label != str(number) else "")


@dataclass(frozen=True, eq=False)
class Part(Objective):
    """The mean of a value, of one channel of it, or one neuron: mean a[n], mean a[n, c], a[n, c, y, x].

    Channels stand on axis 1. Where a value has several rows a sample (windows), they are averaged over too. single:
    whether what is selected is known to be one number a sample, so that no mean is spoken of.
    """

    selection: Selection
    single: bool = False

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.selection.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The mean."""
        array = values[self.selection.value]
        count = place.stop - place.start
        if self.selection.channel is not None:
            if array.ndim < 2 or self.selection.channel >= array.shape[1]:
                raise InputError(
                    f"{self.selection.value!r} has the shape {list(array.shape)}; there is no channel "
                    f"{self.selection.channel}"
                )
            array = array[:, self.selection.channel]
        if self.selection.position is not None:
            row, column = self.selection.position
            if array.ndim != 3 or row >= array.shape[1] or column >= array.shape[2]:
                raise InputError(
                    f"{self.selection.value!r} has no position {row},{column} in a channel of the shape "
                    f"{list(array.shape[1:])}"
                )
            array = array[:, row, column]
        return array.reshape(count, -1).mean(1)

    def rows(self, index: Index) -> Objective:
        """Itself: it is the same for every sample."""
        return self

    def describe(self, row: int) -> str:
        """The name as a user types it."""
        s = self.selection
        at = "" if s.position is None else f",{s.position[0]},{s.position[1]}"
        name = s.value if s.channel is None else f"{s.value}:{s.channel}{at}"
        return name if self.single or s.position is not None else f"mean of {name}"


@dataclass(frozen=True, eq=False)
class Element(Objective):
    """One number of a value: a[n][i_n], the index i_n after the batch axis; ``index`` is (N, rank - 1).

    A detector's score or box coordinate is such a number.
    """

    value: str
    index: Index

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The number."""
        array = values[self.value]
        return array[(np.arange(len(array)), *self.index[place].T)]

    def rows(self, index: Index) -> Objective:
        """The indices of these rows."""
        return replace(self, index=self.index[index])

    def describe(self, row: int) -> str:
        """The name and the index."""
        return f"{self.value}[{','.join(map(str, self.index[row]))}]"


@dataclass(frozen=True, eq=False)
class Similarity(Objective):
    """The cosine between an embedding and a given one: <a, r> / (|a| |r|), all of a value taken as one vector."""

    value: str
    references: NDArray[np.float64]
    source: str = "a given embedding"

    @property
    def values(self) -> tuple[str, ...]:
        """The embedding."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The cosine."""
        vectors = values[self.value]
        vectors = vectors.reshape(place.stop - place.start, -1)
        xp = namespace(vectors)
        unit = self.references[place] / np.linalg.norm(self.references[place], axis=1, keepdims=True)
        if unit.shape[1] != vectors.shape[1]:
            raise InputError(
                f"the given embedding has {unit.shape[1]} numbers, {self.value!r} has {vectors.shape[1]} a sample"
            )
        given = unit.astype(vectors.dtype) if xp is np else xp.as_tensor(unit).to(vectors)
        return (vectors * given).sum(1) / xp.sqrt((vectors * vectors).sum(1))

    def rows(self, index: Index) -> Objective:
        """The references of these rows."""
        return replace(self, references=self.references[index])

    def describe(self, row: int) -> str:
        """What it is near to."""
        return f"cosine of {self.value} with {self.source}"


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


def namespace(array: Any) -> Any:
    """The library whose functions take ``array``: numpy, or torch."""
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch
