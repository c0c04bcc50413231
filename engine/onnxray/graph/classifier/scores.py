"""The verdict: a classifier's output as one score, and one probability, a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array
from onnxray.errors import InputError, NotAClassifier, NotFinite
from onnxray.graph.classifier.output import Closing, class_labels
from onnxray.graph.classifier.predictions import ClassScores
from onnxray.graph.classifier.readings import Form, Head, Reading, both_classes, reading_of, steps
from onnxray.graph.facts import Graph
from onnxray.graph.outputs.origins import classical_node, last_operator, softmax_axis

_ROUNDING = 1e-4
"""How far the sum of probabilities may be from 1 ..."""
_COARSE = 1e-3
"""... and in float16, or where whole numbers stand for them; classical classifiers' tables are rounded as well."""


def per_class(graph: Graph, name: str, raw: Array) -> NDArray[np.float64]:
    """(N, K) from (N, K), (N, K, 1, 1), (N, 1, 1, K) or a ZipMap's N dictionaries; anything else is no classifier's.

    Whole numbers that were quantised become the real numbers that they stand for.
    Errors: NotAClassifier for another shape or type; NotFinite for NaN, or infinity as a largest score.
    """
    if raw.dtype == object and raw.size and all(isinstance(one, Mapping) for one in raw.flat):
        classes = class_labels(graph, name) or tuple(raw.flat[0])
        raw = np.array([[scores[label] for label in classes] for scores in raw.flat])
    if raw.dtype.kind not in "fiub":
        raise NotAClassifier(f"output {name!r} holds {raw.dtype}, not one score a class; read it with `onnxray values`")
    scores = raw.astype(np.float64)
    if raw.dtype.kind in "iu" and (found := steps(graph, name)) is not None:
        scores = (scores - found[1]) * found[0]
    if scores.ndim >= 2 and scores.size == scores.shape[0] * max(scores.shape[1:]):
        scores = scores.reshape(len(scores), max(scores.shape[1:]))
    if scores.ndim != 2 or not scores.size:
        raise NotAClassifier(
            f"output {name!r} has the shape {list(raw.shape)}, not one score a class; read it with `onnxray values`"
        )
    if np.isnan(scores).any():
        raise NotFinite(f"output {name!r} holds NaN, so no class can be told; are there NaN in the weights?")
    if np.isinf(scores.max(1)).any():  # minus infinity marks a class that is ruled out, beside others
        raise NotFinite(f"output {name!r} holds infinity as its largest score, so no class can be told")
    return scores


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassNumbers:
    """What an output says of each class: ``numbers`` (N, K), and what they are (see ``readings.py``).

    binary: they were made of one number for two classes, of which the second wins above the ``threshold``.
    """

    closing: Closing
    numbers: NDArray[np.float64]
    form: Form
    binary: bool = False
    threshold: float = 0.5

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """(N, K): what the file itself says of each class; the softmax of plain scores."""
        return np.asarray(Reading(value=self.closing.output, form=self.form).probabilities(self.numbers, np))

    @property
    def winners(self) -> NDArray[np.int64]:
        """(N,): the class that wins."""
        if self.binary:
            return np.asarray(self.probabilities[:, 1] > self.threshold, np.int64)
        return np.asarray(self.numbers.argmax(1), np.int64)


def class_numbers(graph: Graph, closing: Closing, raw: Array, threshold: float = 0.5) -> ClassNumbers:
    """What an output at which the graph closes so says of each class.

    Errors: those of ``per_class``; NotAClassifier for one number that no sigmoid closes.
    """
    scores = per_class(graph, closing.output, raw)
    form = output_form(graph, closing, scores)
    if scores.shape[1] > 1:
        return ClassNumbers(closing=closing, numbers=scores, form=form)
    if closing.kind != "sigmoid" and form != "sigmoid":
        raise NotAClassifier(
            f"output {closing.output!r} gives one number for each sample and no sigmoid closes it, so it is not one "
            f"score a class; where it is the logit of two classes, say so: --output {closing.output}=binary"
        )
    both = np.asarray(both_classes(scores, probability=form == "probability"))
    return ClassNumbers(closing=closing, numbers=both, form=form, binary=True, threshold=threshold)


def class_scores(graph: Graph, logits: str, value: Array, shape: tuple[int, ...], *, binary: bool) -> ClassScores:
    """The value of the logits as scores of the classes that the output gives in this shape, (N, K).

    Errors: InputError where a profile names another value, which is not one score a class.
    """
    own = (shape[0], 1) if binary else shape
    flat = value.reshape(own) if value.size == np.prod(own) and value.ndim > 1 else value
    try:
        scores = per_class(graph, logits, flat)
    except NotAClassifier as error:
        raise InputError(f"no scores can be read where the profile says that the logits are: {error}") from None
    if binary:
        scores = both_classes(scores, probability=False)
    return ClassScores(logits=value, scores=scores)


def check_rows(output: str, scores: NDArray[np.float64], samples: int) -> None:
    """Refuse scores that are not one row a sample, as where a weight is the output. Errors: NotAClassifier."""
    if len(scores) != samples:
        raise NotAClassifier(
            f"output {output!r} gives {len(scores)} rows for {samples} images, not one score a class for each; read it "
            "with `onnxray values`"
        )


def output_form(graph: Graph, closing: Closing, scores: NDArray[np.float64]) -> Form:
    """What the numbers (N, K) of the output are: probabilities, their logarithms, or what a softmax makes them of.

    Where no softmax or sigmoid closes the graph, and nobody says what does, only the numbers tell: rows that are not
    negative and add up to 1 are probabilities. Not those of a Relu, which can add up to 1 by chance.
    """
    if closing.kind is not None:
        return "logarithm" if closing.kind == "log-softmax" else "probability"
    if closing.stated is not None:
        return closing.stated
    value = graph.values.get(closing.output)
    exact = (
        value is not None and value.dtype in {"float32", "float64"} and classical_node(graph, closing.output) is None
    )
    off = np.abs(scores.sum(1) - 1).max()
    distribution = scores.shape[1] > 1 and (scores >= 0).all() and off <= (_ROUNDING if exact else _COARSE)
    return "probability" if distribution and last_operator(graph, closing.output) != "Relu" else "softmax"


def head_of(graph: Graph, logits: str, found: ClassNumbers) -> Head:
    """How logits and probabilities are read so that the latter are those of the output, as ``found`` there.

    logits: the value that the model's user calls so.
    """
    closing, form = found.closing, found.form
    sigmoid = closing.kind == "sigmoid"
    axis, flat = (None, False) if closing.node is None or sigmoid else softmax_axis(graph, closing.node)
    if closing.node is None:
        source = closing.logits if last_operator(graph, closing.output) == "ZipMap" else closing.output
        probabilities = reading_of(graph, source, form)
    elif closing.rounded:
        probabilities = reading_of(graph, closing.output, form)
    else:
        own: Form = "sigmoid" if sigmoid else "softmax"
        probabilities = reading_of(graph, closing.logits, own, axis, flat=flat)
    logit = reading_of(graph, logits)
    if logits == closing.logits:
        logit = reading_of(graph, closing.logits, "softmax", axis, flat=flat)
    if found.binary:
        logit = replace(logit, binary=True)
        probabilities = replace(probabilities, binary=True, threshold=found.threshold)
    return Head(logit, probabilities)
