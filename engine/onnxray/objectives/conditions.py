"""When an aim is reached, as a comparison in the language of targets: TARGET < NUMBER, and with <=, > and >=.

boxes[0].score < 0.3      the score of a box, by its place on the sample as it came; where a file chooses its boxes anew
                          (suppression in the graph), of the box that is listed there then, 0 where none is
output > 3                the number of a regressor; any other target (see targets.py) just as well
distance > 0.5            ||a - a_0||, how far the answer is from what it was: an embedding, or a regressor's number
cosine < 0.8              <a, a_0> / (|a| |a_0|); distance(NAME) and cosine(NAME) are of any value
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.outputs.facts import BOX_KINDS
from onnxray.images.pixels import Pixels
from onnxray.model.answers.detections import THRESHOLD, Detections
from onnxray.model.model import Model
from onnxray.objectives.gradients import judged
from onnxray.objectives.likeness import Distance, Similarity
from onnxray.objectives.objective import Objective
from onnxray.objectives.output_targets import BOX
from onnxray.objectives.targets import read_target

_COMPARISON = re.compile(r"\s*(?P<target>.+?)\s*(?P<sign><=|>=|<|>)\s*(?P<number>[^<>=]+?)\s*")
_OWN = re.compile(r"(?P<kind>distance|cosine)(\((?P<value>.+)\))?")


@dataclass(frozen=True, kw_only=True, eq=False)
class Condition:
    """A comparison of a number of each sample. objective: for the samples as they came, one a row.

    place: of the box that is looked up anew in what ``predict`` lists, where the file chooses its rows.
    """

    objective: Objective
    sign: str
    number: float
    place: int | None = None

    def scores(self, model: Model, pixels: Pixels, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n,): the number of each, by ONNX Runtime. rows: which sample each began as."""
        if self.place is None:
            return judged(model, pixels, self.objective.rows(rows))
        return np.array([_listed(model, pixels.rows(slice(k, k + 1)), self.place) for k in range(len(pixels))])

    def met(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n,): whether it holds. NaN meets nothing."""
        compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[self.sign]
        return np.asarray(compare(scores, self.number))

    def refuse_met(self, scores: NDArray[np.float64], text: str, names: Sequence[str | None], role: str) -> None:
        """Refuse samples of which it holds already. text: as it was stated; role: what a sample without a name is.

        Errors: InputError.
        """
        for row in np.flatnonzero(self.met(scores)).tolist():
            raise InputError(
                f"{names[row] or f'{role} {row}'}: {self.describe(row)} is {scores[row]:.6g}, so {text!r} holds "
                "already; state another number"
            )

    def describe(self, row: int) -> str:
        """What is compared, in words."""
        return f"boxes[{self.place}].score" if self.place is not None else self.objective.describe(row)


def is_comparison(text: str) -> bool:
    """Whether a text has the form of one."""
    return _COMPARISON.fullmatch(text) is not None


def read_condition(model: Model, pixels: Pixels, text: str) -> Condition:
    """A condition for samples as they came. Errors: InputError, UnknownValue."""
    found = _COMPARISON.fullmatch(text)
    try:
        number = float("nan" if found is None else found["number"])
    except ValueError:
        number = float("nan")
    if found is None or not np.isfinite(number):
        raise InputError(
            f"the condition is {short(text)}; TARGET < NUMBER (or <=, >, >=) was expected, such as 'output > 3', "
            "'boxes[0].score < 0.3' or 'distance > 0.5'"
        )
    objective = _of_own(model, pixels, found["target"]) or read_target(model, pixels, found["target"])
    box = BOX.fullmatch(found["target"])
    place = int(box["place"]) if box is not None and objective.one_by_one else None
    return Condition(objective=objective, sign=found["sign"], number=number, place=place)


def box_asked_for(goal: object) -> int | None:
    """The place of the box that a comparison is of; the best where nothing is stated; None where it is of none."""
    if goal is None or (isinstance(goal, str) and goal.strip().lower() == "untargeted"):
        return 0
    compared = _COMPARISON.fullmatch(goal) if isinstance(goal, str) else None
    box = None if compared is None else BOX.fullmatch(compared["target"])
    return None if box is None else int(box["place"])


def box_gone(model: Model, pixels: Pixels) -> str | None:
    """The condition that the best box of a detector is not listed any more; None where the model is no detector.

    Errors: InputError where its scores do not say from which on a box is listed.
    """
    if model.head.kind not in BOX_KINDS:
        return None
    stated = model.answering.stated
    if stated is not None and stated.threshold is not None:
        return f"boxes[0].score < {stated.threshold:g}"
    answer = model.predict(pixels)
    scores = [one.scores for one in answer.samples if one.scores is not None] if isinstance(answer, Detections) else []
    if not scores or any(((one < 0) | (one > 1)).any() for one in scores):
        raise InputError(
            f"from which score on output {model.head.name!r} lists a box is not known; state when it is gone: "
            "--until 'boxes[0].score < NUMBER'"
        )
    return f"boxes[0].score < {THRESHOLD:g}"


def _of_own(model: Model, pixels: Pixels, target: str) -> Objective | None:
    """distance, cosine: of a value with what it is of each sample as it came; None for other targets."""
    found = _OWN.fullmatch(target)
    if found is None or target in model.graph.values:
        return None
    value = model.head.name if found["value"] is None else model.select_value(found["value"])
    own = model.values(pixels, [value])[value]
    if own.ndim == 0 or len(own) != len(pixels) or own.dtype.kind not in "fiu":
        raise InputError(
            f"{value!r} holds {own.dtype} of the shape {list(own.shape)} for {len(pixels)} sample(s), so it has no "
            f"{found['kind']} of each; name another value, {found['kind']}(NAME)"
        )
    references = own.reshape(len(own), -1).astype(np.float64)
    if found["kind"] == "distance":
        return Distance(value, references)
    if not references.any(1).all():
        raise InputError(f"{value!r} is zero throughout, so it has no cosine with what it becomes; use distance")
    return Similarity(value, references, "its own")


def _listed(model: Model, one: Pixels, place: int) -> float:
    answer = model.predict(one)
    scores = answer.samples[0].scores if isinstance(answer, Detections) else None
    if scores is None or not -len(scores) <= place < len(scores):
        return 0.0
    return float(scores[place])
