"""The boxes of a detector with their scores and classes, best first, as the file gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.graph.classifier.class_words import class_words
from onnxray.graph.outputs.facts import Column, OutputFacts, OutputKind
from onnxray.model.answers.answer import NoClasses
from onnxray.notebooks.displayed import one_line

THRESHOLD = 0.5
"""A box is listed where its score is above this."""
_NOTHING = frozenset({"background", "__background__", "bg", "no object", "no-object", "n/a", "none", "nothing"})
_SHOWN = 3
_TWO = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Boxes:
    """The boxes of one sample, best first: ``boxes`` (n, 4), ``scores`` (n,), ``classes`` (n,) as the file counts them.

    rows: each one's place in the file's output, places of rows and columns counted on. columns: of the score in the
    row, -1 where it is not one number of the file.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64] | None
    classes: NDArray[np.int64] | None
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.boxes)

    def __repr__(self) -> str:
        best = "" if self.scores is None or not len(self) else f", the best of score {self.scores[0]:.4f}"
        return one_line(self, f"{len(self)}{best}")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Detections(NoClasses):
    """What a detector says: ``samples``, the boxes of each. Coordinates are the file's own; nothing is suppressed here.

    score: the output that scores are read from.
    """

    output: str
    samples: tuple[Boxes, ...]
    score: str | None = None
    labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    kind: OutputKind = "boxes"

    def __len__(self) -> int:
        return len(self.samples)

    def joined(self, others: Sequence[Detections]) -> Detections:
        """The answers for several samples in one."""
        more = (one for other in others for one in other.samples)
        notes = dict.fromkeys(note for one in (self, *others) for note in one.notes)
        return replace(self, samples=(*self.samples, *more), notes=tuple(notes))

    def label(self, index: int) -> str:
        """A class in words, else its number."""
        known = self.labels is not None and 0 <= index < len(self.labels)
        return self.labels[index] if self.labels is not None and known else str(index)

    def describe(self, index: int) -> str:
        """One line for a sample."""
        own = self.samples[index]
        shown = [self._box(own, k) for k in range(min(len(own), _SHOWN))]
        more = "" if len(own) <= _SHOWN else f", and {len(own) - _SHOWN} more"
        return f"{len(own)} box{'' if len(own) == 1 else 'es'}: {'; '.join(shown)}{more}" if len(own) else "no box"

    def _box(self, own: Boxes, k: int) -> str:
        words = None if own.classes is None else self.label(int(own.classes[k]))
        label = "" if words is None else f"class {words} " if words.isdecimal() else f"{words} "
        score = "" if own.scores is None else f"{own.scores[k]:.4f} "
        return f"{label}{score}at {', '.join(f'{number:.4g}' for number in own.boxes[k])}"

    def numbers(self, index: int) -> dict[str, Any]:
        """Plain values for JSON."""
        own = self.samples[index]
        found = [
            {
                "box": own.boxes[k].tolist(), "row": int(own.rows[k]),
                "score": None if own.scores is None else float(own.scores[k]),
                "class": None if own.classes is None else int(own.classes[k]),
                "label": None if own.classes is None else self.label(int(own.classes[k])),
            }
            for k in range(len(own))
        ]  # fmt: skip
        return {"boxes": found}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """All rows of one sample: boxes, scores a class or one, classes, and the column that each score stands in."""

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64] | None
    classes: NDArray[np.int64] | None
    first: int = 0
    """The column of the file's row in which the first class's score stands."""
    single: bool = True
    """Whether a score is one number of the file."""


def detections(
    facts: Sequence[OutputFacts], raw: Mapping[str, Array], labels: tuple[str, ...] | None, *,
    exclusive: bool, threshold: float | None, notes: tuple[str, ...] = (),
) -> Detections:  # fmt: skip
    """Read the boxes of each sample from a detector's outputs, whose facts these are.

    exclusive: a softmax closes the scores, so that one class may mean that there is nothing. threshold: a box is listed
    above it; by default 0.5, where the scores lie between 0 and 1. Errors: InputError for arrays of other shapes.
    """
    boxes = [one for one in facts if one.kind == "boxes"]
    scores = next((one for one in facts if one.kind == "box scores"), None)
    classes = next((one for one in facts if one.kind == "box classes"), None)
    count = next((one for one in facts if one.kind == "box count"), None)
    parts = {one.name: _rows(one, raw[one.name]) for one in facts if one.kind in {"boxes", "box scores"}}
    parts |= {one.name: _flat(one, raw[one.name]) for one in (classes,) if one is not None}
    samples = len(parts[boxes[0].name])
    said, found = list(notes), []
    for k in range(samples):
        table = _table(boxes, scores, classes, {name: part[k] for name, part in parts.items()})
        if table.scores is not None and table.scores.shape[1] > 1:
            labels = _words(labels, boxes[0].name if scores is None else scores.name, table.scores, exclusive=exclusive)
        kept = len(table.boxes) if count is None else int(np.asarray(raw[count.name]).reshape(-1)[k])
        own, nothing = _best(table, kept, labels, exclusive=exclusive, threshold=threshold)
        found.append(own)
        if nothing is not None:
            said.append(f"class {nothing} is taken to mean that there is nothing, and is not listed")
    said.append("boxes are as the file gives them: coordinates are the file's own, and what overlaps is listed too")
    name = boxes[0].name
    score = None if scores is None and not boxes[0].columns else (name if scores is None else scores.name)
    return Detections(output=name, samples=tuple(found), score=score, labels=labels, notes=tuple(dict.fromkeys(said)))


def _rows(facts: OutputFacts, array: Array) -> NDArray[np.float64]:
    """(N, M, numbers a place): rows of all there is are those of one sample."""
    numbers = np.asarray(array, np.float64)
    if facts.rows_alone:
        numbers = numbers[None]
    if numbers.ndim == 4:
        numbers = np.moveaxis(numbers, facts.axis if facts.axis is not None else 1, -1)
        return numbers.reshape(len(numbers), -1, numbers.shape[-1])
    if numbers.ndim == 3 and facts.axis == 1:
        numbers = np.moveaxis(numbers, 1, -1)
    if numbers.ndim == 2:
        numbers = numbers[:, :, None]
    if numbers.ndim != 3:
        raise InputError(
            f"output {facts.name!r} has the shape {list(np.shape(array))}; no rows of boxes are read there"
        )
    return numbers


def _flat(facts: OutputFacts, array: Array) -> NDArray[np.float64]:
    numbers = np.asarray(array, np.float64)
    return numbers.reshape(1, -1) if facts.rows_alone else numbers.reshape(len(numbers), -1)


def _table(
    boxes: Sequence[OutputFacts], scores: OutputFacts | None, classes: OutputFacts | None,
    parts: Mapping[str, NDArray[np.float64]],
) -> _Table:  # fmt: skip
    own = parts[boxes[0].name]
    given = None if classes is None else parts[classes.name].reshape(-1).astype(np.int64)
    if boxes[0].columns and scores is None:
        return _of_columns(own, boxes[0].columns, given)
    corners = np.concatenate([parts[one.name] for one in boxes], axis=1) if len(boxes) > 1 else own
    return _Table(boxes=corners[:, :4], scores=None if scores is None else parts[scores.name], classes=given)


def _of_columns(
    own: NDArray[np.float64], columns: Sequence[tuple[Column, int]], classes: NDArray[np.int64] | None
) -> _Table:
    places, start = dict[str, slice](), 0
    for column, wide in columns:
        places[column] = slice(start, start + wide)
        start += wide
    if "class" in places:
        classes = own[:, places["class"]].reshape(-1).astype(np.int64)
    first = next((places[one] for one in ("scores", "score", "objectness") if one in places), None)
    scores = None if first is None else own[:, first]
    joint = "objectness" in places and "scores" in places
    if joint and scores is not None:
        scores = scores * own[:, places["objectness"]]
    begin = 0 if first is None else first.start
    return _Table(boxes=own[:, places["box"]], scores=scores, classes=classes, first=begin, single=not joint)


def _best(
    table: _Table, kept: int, labels: tuple[str, ...] | None, *, exclusive: bool, threshold: float | None
) -> tuple[Boxes, int | None]:
    """The boxes that are listed, best first, and the class that means that there is nothing."""
    rows = np.arange(min(kept, len(table.boxes)))
    if table.scores is None or not table.scores.shape[1]:
        classes = None if table.classes is None else table.classes[rows]
        none = np.full(len(rows), -1)
        return Boxes(boxes=table.boxes[rows], scores=None, classes=classes, rows=rows, columns=none), None
    scores = table.scores[rows]
    nothing = _nothing(scores.shape[1], labels) if exclusive else None
    ranked = scores.copy()
    if nothing is not None:
        ranked[:, nothing] = -np.inf
    winner = ranked.argmax(1) if len(rows) else np.zeros(0, np.int64)
    best = ranked[np.arange(len(rows)), winner]
    likely = len(scores) == 0 or (scores.min() >= 0 and scores.max() <= 1)
    least = threshold if threshold is not None else (THRESHOLD if likely else -np.inf)
    order = np.argsort(-best, kind="stable")
    order = order[best[order] > least]
    classes = winner if scores.shape[1] > 1 else None
    if table.classes is not None:
        classes = table.classes[rows]
    columns = table.first + winner[order] if table.single else np.full(len(order), -1)
    return Boxes(
        boxes=table.boxes[rows][order], scores=best[order], classes=None if classes is None else classes[order],
        rows=rows[order], columns=columns,
    ), nothing  # fmt: skip


def _words(
    labels: tuple[str, ...] | None, output: str, scores: NDArray[np.float64], *, exclusive: bool
) -> tuple[str, ...] | None:
    """A word for each class that is scored; one less of classes that exclude each other leaves out that for nothing.

    Errors: ProfileError where there are fewer or more labels than classes.
    """
    count = scores.shape[1]
    if labels is not None and exclusive and len(labels) == count - 1:
        return ("background", *labels)
    return class_words(labels, output, count)


def _nothing(count: int, labels: tuple[str, ...] | None) -> int | None:
    """The class that means that there is nothing, of classes that exclude each other, where that can be told."""
    if labels is not None and len(labels) == count:
        return next((k for k, label in enumerate(labels) if label.strip().lower() in _NOTHING), None)
    return 0 if count == _TWO else None
