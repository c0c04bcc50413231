"""When an attack has succeeded, and the loss that it goes down until then.

    untargeted   the winning class is another than y: the class of the image as it came, by the file, or its label
    targeted     the winning class is t
    condition    a comparison in the language of targets holds: 'boxes[0].score < 0.3', 'output > 3', 'cosine < 0.3'
    label        of an output that gives labels alone: another label, or the one that is wanted; there is no margin

The margin of each is a real number that is below 0 where it has succeeded: the loss of class_losses.py; of a comparison
``score - number`` for < and ``number - score`` for >. Where nothing is asked, what is left is the class of a
classifier, the best box of a detector (until it is listed no more), and the own place of an embedding: cosine < 0.3,
what verification takes for another person's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.outputs.facts import BOX_KINDS
from onnxray.images.pixels import Pixels
from onnxray.methods.shots import Shots
from onnxray.methods.variable import Rows, Variable
from onnxray.model.answers.detections import Detections
from onnxray.model.model import Model
from onnxray.objectives.class_losses import ClassLoss, LossName
from onnxray.objectives.conditions import Condition, box_asked_for, box_gone, is_comparison, read_condition
from onnxray.objectives.objective import Objective
from onnxray.objectives.targets import class_index

SAME_PERSON = 0.3
"""The cosine below which two embeddings are taken for two persons', where nothing else is stated."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Criterion(ABC):
    """When each sample of a run has arrived."""

    @abstractmethod
    def loss(self, kind: LossName, rows: Rows) -> Objective:
        """What is gone down, of these samples."""

    @abstractmethod
    def margin(self, rows: Rows) -> Objective:
        """Below 0 where a sample has arrived."""

    @abstractmethod
    def met(self, model: Model, samples: Pixels, rows: Rows) -> NDArray[np.bool_]:
        """(n,): whether the judge says so of samples as they are fed."""

    @abstractmethod
    def describe(self, row: int) -> str:
        """What is asked of one sample, in words."""

    def label(self, model: Model, samples: Pixels) -> str | None:
        """What the judge calls one sample, where it gives a label and no class."""
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class OtherClass(Criterion):
    """Another class than ``left``, or the class that is ``wanted``."""

    variable: Variable
    left: NDArray[np.int64]
    wanted: NDArray[np.int64] | None
    said: Shots

    def loss(self, kind: LossName, rows: Rows) -> Objective:
        """That of the classes."""
        wanted = None if self.wanted is None else self.wanted[rows]
        return ClassLoss(kind=kind, left=self.left[rows], wanted=wanted, head=self.said.said.head)

    def margin(self, rows: Rows) -> Objective:
        """z_y - max z_j, or max z_j - z_t."""
        return self.loss("margin", rows)

    def met(self, model: Model, samples: Pixels, rows: Rows) -> NDArray[np.bool_]:
        """By the winning class."""
        classes = model.classify(samples)
        return np.asarray(classes != self.left[rows] if self.wanted is None else classes == self.wanted[rows])

    def describe(self, row: int) -> str:
        """The class in words."""
        if self.wanted is None:
            return f"not {self.variable.whole.label(int(self.left[row]))}"
        return self.variable.whole.label(int(self.wanted[row]))

    @property
    def rightly(self) -> NDArray[np.bool_]:
        """(N,): whether each sample as it came is given the class that is left."""
        return np.asarray(self.said.said.classes == self.left)

    def towards(self, wanted: NDArray[np.int64]) -> OtherClass:
        """The same samples, each towards a class of its own."""
        return OtherClass(variable=self.variable, left=self.left, wanted=wanted, said=self.said)

    def nearest(self, count: int) -> NDArray[np.int64]:
        """(N, count): of each sample the classes with the highest scores besides the one that is left, at most all."""
        scores = self.said.said.scores.astype(np.float64)
        scores[np.arange(len(scores)), self.left] = -np.inf
        return np.argsort(-scores, axis=1, kind="stable")[:, : min(count, scores.shape[1] - 1)]


@dataclass(frozen=True, kw_only=True, eq=False)
class OtherLabel(Criterion):
    """Another label than ``left``, or the label that is ``wanted``, of a file that gives labels and no scores."""

    output: str
    left: tuple[str, ...]
    wanted: tuple[str, ...] | None

    def loss(self, kind: LossName, rows: Rows) -> Objective:
        """Refused. Errors: InputError."""
        raise InputError(
            f"output {self.output!r} gives labels alone, and this attack goes by scores; take one that goes by "
            "decisions: hopskipjump, rays or noise"
        )

    def margin(self, rows: Rows) -> Objective:
        """Refused. Errors: InputError."""
        return self.loss("margin", rows)

    def met(self, model: Model, samples: Pixels, rows: Rows) -> NDArray[np.bool_]:
        """By the label."""
        said = labels_of(model, samples)
        if self.wanted is None:
            return np.array([one != self.left[row] for one, row in zip(said, rows)], bool)
        return np.array([one == self.wanted[row] for one, row in zip(said, rows)], bool)

    def describe(self, row: int) -> str:
        """The label."""
        return f"not {self.left[row]}" if self.wanted is None else self.wanted[row]

    def label(self, model: Model, samples: Pixels) -> str | None:
        """As the file gives it."""
        return labels_of(model, samples)[0]


def labels_of(model: Model, samples: Pixels) -> tuple[str, ...]:
    """The label of each sample as text, by the judge, of a file that gives no more."""
    return tuple(map(str, model.predict(samples).values.reshape(-1)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared(Criterion):
    """A comparison holds."""

    condition: Condition
    text: str

    def loss(self, kind: LossName, rows: Rows) -> Objective:
        """Its margin: there are no classes to have another loss of."""
        return self.margin(rows)

    def margin(self, rows: Rows) -> Objective:
        """The score less the number, or the other way round."""
        return Beyond(self.condition.objective.rows(rows), self.condition.number, self.condition.sign.startswith("<"))

    def met(self, model: Model, samples: Pixels, rows: Rows) -> NDArray[np.bool_]:
        """Whether it holds."""
        return self.condition.met(self.condition.scores(model, samples, rows))

    def describe(self, row: int) -> str:
        """As it was stated."""
        return self.text


@dataclass(frozen=True, eq=False)
class Beyond(Objective):
    """o - number where less is wanted, number - o where more is."""

    objective: Objective
    number: float
    less: bool

    @property
    def values(self) -> tuple[str, ...]:
        """What the objective reads."""
        return self.objective.values

    @property
    def one_by_one(self) -> bool:
        """As the objective."""
        return self.objective.one_by_one

    def score(self, values: Any, place: slice) -> Any:
        """(n,)."""
        beyond = self.objective.score(values, place) - self.number
        return beyond if self.less else -beyond

    def rows(self, index: NDArray[np.int64]) -> Beyond:
        """The objective's rows."""
        return Beyond(self.objective.rows(index), self.number, self.less)

    def describe(self, row: int) -> str:
        """The comparison."""
        return f"{self.objective.describe(row)} {'<' if self.less else '>'} {self.number:g}"


def criterion_of(variable: Variable, goal: object, *, labels: object = None) -> tuple[Criterion, Shots]:
    """What is asked of the samples, and what the judge says of them as they came.

    goal: None or "untargeted"; a class (number or label), one for all or a list of one a sample; a comparison.
    labels: the true classes, one a sample, by number or label, to be left in place of those that the file gives.
    Errors: InputError where a sample is there already, where a regressor is given no goal, and where a class is asked
    of what has none.
    """
    shots = Shots.of(variable)
    model, samples = variable.whole, variable.fed(variable.start, np.arange(len(variable)))
    if isinstance(goal, str) and goal.strip().lower() == "untargeted":
        goal = None
    if isinstance(goal, str) and is_comparison(goal):
        return _compared(variable, samples, goal, shots), shots
    if shots.predictions is None:
        return _unstated(variable, samples, goal, shots), shots
    left = np.asarray(shots.said.classes if labels is None else _classes(model, shots, labels, "labels"), np.int64)
    if goal is None:
        return OtherClass(variable=variable, left=left, wanted=None, said=shots), shots
    wanted = _classes(model, shots, goal, "targets")
    for row in np.flatnonzero(wanted == shots.said.classes):
        raise InputError(
            f"{_name(shots, int(row))} is of class {wanted[row]} ({model.label(int(wanted[row]))}) already; give "
            "another --target, or none to leave the class"
        )
    return OtherClass(variable=variable, left=left, wanted=wanted, said=shots), shots


def left_out(variable: Variable, goal: object) -> dict[int, str]:
    """Sample -> why nothing can be asked of it: a picture in which a detector lists no such box; nothing where that is
    so of all, which is refused where the goal is read.
    """
    model = variable.whole
    place = box_asked_for(goal) if model.head.kind in BOX_KINDS else None
    if place is None:
        return {}
    answer = model.predict(variable.fed(variable.start, np.arange(len(variable))))
    if not isinstance(answer, Detections):
        return {}
    counts = [len(one) for one in answer.samples]
    found = {
        row: f"not applicable: {count or 'no'} box{'' if count == 1 else 'es'} listed, and boxes[{place}] was asked for"
        for row, count in enumerate(counts)
        if not -count <= place < count
    }
    return {} if len(found) == len(counts) else found


def _classes(model: Model, shots: Shots, stated: object, what: str) -> NDArray[np.int64]:
    """(N,): classes from numbers or labels, one for all or one a sample. Errors: InputError."""
    each = [stated]
    if isinstance(stated, list | tuple | np.ndarray):
        each = list(stated)
        if len(each) != len(shots.images):
            raise InputError(
                f"{len(each)} {what} were given for {len(shots.images)} images; give one for all, or one for each"
            )
    texts, count = [_class_text(one) for one in each], shots.said.probabilities.shape[1]
    index = {text: class_index(model, text, count) for text in dict.fromkeys(texts)}
    return np.resize(np.array([index[text] for text in texts], np.int64), len(shots.images))


def _class_text(one: object) -> str:
    if isinstance(one, bool) or not isinstance(one, int | np.integer | str):
        raise InputError(
            f"the target is {short(one)}; a class (number or label), or a comparison such as 'output > 3', was expected"
        )
    return str(one)


def _unstated(variable: Variable, samples: Pixels, goal: object, shots: Shots) -> Criterion:
    """What is asked of a model without classes where no comparison is stated."""
    head = variable.whole.head
    if head.kind == "labels":
        return _other_label(variable, samples, goal, shots)
    if goal is not None:
        raise InputError(
            f"the target is {short(goal)}, and output {head.name!r} is {head.said()}, so it has no classes; state a "
            "comparison: 'output > 3', 'boxes[0].score < 0.3', 'cosine < 0.3'"
        )
    text = box_gone(variable.model, samples)
    if text is None and head.kind == "embedding":
        text = f"cosine < {SAME_PERSON:g}"
    if text is None:
        raise InputError(
            f"output {head.name!r} is {head.said()}, and nothing says what an attack shall make of it; state it: "
            "--target 'output > 3'"
        )
    return _compared(variable, samples, text, shots)


def _other_label(variable: Variable, samples: Pixels, goal: object, shots: Shots) -> OtherLabel:
    """Of labels alone. Nothing lists which there are, so one that is wanted is any text. Errors: InputError."""
    left, wanted = labels_of(variable.model, samples), None
    if goal is not None:
        each = list(goal) if isinstance(goal, list | tuple | np.ndarray) else [goal] * len(left)
        if len(each) != len(left):
            raise InputError(
                f"{len(each)} targets were given for {len(left)} images; give one for all, or one for each"
            )
        wanted = tuple(map(_class_text, each))
        for row, (own, other) in enumerate(zip(left, wanted)):
            if own == other:
                raise InputError(
                    f"{_name(shots, row)} has the label {short(own)} already; give another --target, or none to leave "
                    "the label"
                )
    return OtherLabel(output=variable.whole.head.name, left=left, wanted=wanted)


def _compared(variable: Variable, samples: Pixels, text: str, shots: Shots) -> Compared:
    condition = read_condition(variable.model, samples, text)
    scores = condition.scores(variable.model, samples, np.arange(len(variable)))
    condition.refuse_met(scores, text, shots.names, "image")
    return Compared(condition=condition, text=text)


def _name(shots: Shots, row: int) -> str:
    return shots.names[row] or f"image {row}"
