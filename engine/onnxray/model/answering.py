"""What the judge says of samples, at the output that is answered with and as what that output is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array, Arrays
from onnxray.engines.chunks import Through
from onnxray.engines.judge import Judge
from onnxray.errors import NotAClassifier
from onnxray.graph.classifier.class_words import class_words
from onnxray.graph.classifier.output import Closing, aliases_at, class_labels, closing_at, closing_of
from onnxray.graph.classifier.predictions import ClassScores, Known, Predictions
from onnxray.graph.classifier.scores import ClassNumbers, check_rows, class_numbers, class_scores, head_of
from onnxray.graph.facts import Graph
from onnxray.graph.outputs.facts import CLASS_KINDS, OutputFacts
from onnxray.graph.outputs.stated import StatedOutput, answered_with
from onnxray.graph.value_names import resolve
from onnxray.images.profile.profile import Profile
from onnxray.model.answers.answer import Answer

_EVEN = 0.5


@dataclass(frozen=True, kw_only=True)
class Answering:
    """How one model is answered with. stated: which output is meant and what it is, where a user says so."""

    graph: Graph
    judge: Judge
    profile: Profile | None
    stated: StatedOutput | None

    @cached_property
    def head(self) -> OutputFacts:
        """The output that is answered with and what it is: as it is stated, else as the file shows it.

        Errors: UnknownValue for an output that is not there, InputError for a kind that the file contradicts.
        """
        return answered_with(self.graph, self.stated, self.labels_stated)

    @cached_property
    def closing(self) -> Closing:
        """How the graph closes at that output."""
        named = self.stated is not None and (self.stated.output is not None or self.stated.kind is not None)
        return closing_at(self.graph, self.head) if named else closing_of(self.graph)

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """``logits``, ``features``, ``last-conv``; the profile's word on the first two counts."""
        own, stated = aliases_at(self.graph, self.closing), dict[str, str]()
        if self.profile is not None:
            for alias, name in (("logits", self.profile.logits), ("features", self.profile.features)):
                if name is not None:
                    stated[alias] = resolve(self.graph, name, own).value
        return {**own, **stated}

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The words for classes that are stated, else the profile's."""
        if self.stated is not None and self.stated.labels is not None:
            return self.stated.labels
        return None if self.profile is None else self.profile.labels

    @property
    def labels_stated(self) -> int | None:
        """How many class names are stated; those that were assumed because of the output say nothing of it."""
        assumed = self.profile is not None and self.profile.labels_assumed is not None
        return None if self.labels is None or assumed else len(self.labels)

    def answer(self, feeds: Arrays, samples: int, notes: tuple[str, ...]) -> Answer:
        """What is said of so many samples by an output that is not one score a class. Errors: InputError."""
        from onnxray.model.answers.reading import AnswerReader

        def run(row: int | None, names: Sequence[str]) -> Arrays:
            own = feeds if row is None else {name: array[row : row + 1] for name, array in feeds.items()}
            return self.judge.outputs(own, names)

        threshold = None if self.stated is None else self.stated.threshold
        reader = AnswerReader(graph=self.graph, facts=self.head, labels=self.labels, threshold=threshold)
        return reader.read(run, samples, notes)

    def predictions(
        self, feeds: Arrays, paths: Sequence[str | None] | None, notes: Sequence[str], *, scores: bool,
        through: Through | None,
    ) -> Predictions:  # fmt: skip
        """What is said of samples. paths: where each was read from, None where it is not known how many they are.

        Errors: see ``Model.predict_classes``.
        """
        raw, found = self._numbers(feeds, None if paths is None else len(paths), through)
        output, logits = self.closing.output, self.aliases["logits"]
        classes = found.winners
        words = self._words(found)

        def read() -> ClassScores:
            if logits == output and (not found.binary or found.form == "sigmoid"):
                return ClassScores(logits=raw, scores=found.numbers)
            value = raw if logits == output else self.judge.values(feeds, [logits])[logits]
            return class_scores(self.graph, logits, value, found.numbers.shape, binary=found.binary)

        return Predictions(
            classes=classes,
            probabilities=found.probabilities,
            labels=tuple(str(int(k)) if words is None else words[k] for k in classes),
            head=head_of(self.graph, logits, found),
            kind=self.head.kind,
            output=output,
            notes=tuple(notes),
            words=None if words is None else tuple(words),
            paths=tuple(paths or ()),
            read=Known(read()) if scores or logits == output else read,
        )

    def winners(self, feeds: Arrays, samples: int | None) -> NDArray[np.int64]:
        """(N,): the class of each."""
        return self._numbers(feeds, samples, None)[1].winners

    def word(self, index: int) -> str:
        """A class in the words that are stated, else in those that the file lists, else its number."""
        labels = self._two if self.head.kind == "binary" else self.labels
        if labels is None:
            labels = self._listed()
        return str(labels[index]) if labels is not None and 0 <= index < len(labels) else str(int(index))

    @property
    def _two(self) -> Sequence[str] | None:
        return class_words(self.labels, self.closing.output, 2, binary=True)

    def _words(self, found: ClassNumbers) -> Sequence[str] | None:
        """A word for each class. Errors: ProfileError where there are fewer or more labels than classes."""
        count = found.numbers.shape[1]
        own = class_words(self.labels, self.closing.output, count, binary=found.binary)
        listed = own if own is not None else self._listed()
        return listed if listed is not None and len(listed) == count else None

    def _listed(self) -> tuple[str, ...] | None:
        listed = class_labels(self.graph, self.closing.output)
        return None if listed is None else tuple(map(str, listed))

    def _numbers(self, feeds: Arrays, samples: int | None, through: Through | None) -> tuple[Array, ClassNumbers]:
        """What the file's output holds, as it is, and as (N, K) numbers, one a class."""
        if self.head.kind not in CLASS_KINDS:
            raise NotAClassifier(
                f"output {self.head.name!r} is {self.head.said()}, not one score a class; `predict` answers with it as "
                f"it is, and where that is wrong say so: --output {self.head.name}=KIND"
            )
        output = self.closing.output
        raw = self.judge.outputs(feeds, [output], through=through)[output]
        stated = None if self.stated is None else self.stated.threshold
        threshold = _EVEN if stated is None else stated
        found = class_numbers(self.graph, self.closing, raw, threshold)
        if samples is not None:
            check_rows(output, found.numbers, samples)
        return raw, found
