"""The verdict: a classifier's output as one score, and one probability, a class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array
from onnxray.errors import InputError, NotAClassifier
from onnxray.graph.classifier.output import class_labels, classical_node, closing_of, last_operator
from onnxray.graph.classifier.predictions import ClassScores
from onnxray.graph.classifier.readings import Form, Head, Reading, reading_of, softmax_axis, steps
from onnxray.graph.facts import Graph

_ROUNDING = 1e-4
"""How far the sum of probabilities may be from 1 ..."""
_COARSE = 1e-3
"""... and in float16, or where whole numbers stand for them; classical classifiers' tables are rounded as well."""


def per_class(graph: Graph, name: str, raw: Array) -> NDArray[np.float64]:
    """(N, K) from (N, K), (N, K, 1, 1) or a ZipMap's N dictionaries; anything else is no classifier's output.

    Whole numbers that were quantised become the real numbers that they stand for.
    Errors: NotAClassifier for another shape or type; InputError for NaN, or infinity as a largest score.
    """
    if raw.dtype == object and raw.size and all(isinstance(one, Mapping) for one in raw.flat):
        classes = class_labels(graph) or tuple(raw.flat[0])
        raw = np.array([[scores[label] for label in classes] for scores in raw.flat])
    if raw.dtype.kind not in "fiub":
        raise NotAClassifier(f"output {name!r} holds {raw.dtype}, not one score a class; read it with `onnxray values`")
    scores = raw.astype(np.float64)
    if raw.dtype.kind in "iu" and (found := steps(graph, name)) is not None:
        scores = (scores - found[1]) * found[0]
    if scores.ndim >= 2 and scores.size == scores.shape[0] * scores.shape[1]:
        scores = scores.reshape(scores.shape[:2])
    if scores.ndim != 2 or not scores.size:
        raise NotAClassifier(
            f"output {name!r} has the shape {list(raw.shape)}, not one score a class; read it with `onnxray values`"
        )
    if np.isnan(scores).any():
        raise InputError(f"output {name!r} holds NaN, so no class can be told; are there NaN in the weights?")
    if np.isinf(scores.max(1)).any():  # minus infinity marks a class that is ruled out, beside others
        raise InputError(f"output {name!r} holds infinity as its largest score, so no class can be told")
    return scores


def class_scores(graph: Graph, logits: str, value: Array, shape: tuple[int, ...]) -> ClassScores:
    """The value of the logits as scores of the classes that the output gives in this shape, (N, K).

    Errors: InputError where a profile names another value, which is not one score a class.
    """
    flat = value.reshape(shape) if value.size == np.prod(shape) and value.ndim > 1 else value
    try:
        return ClassScores(logits=value, scores=per_class(graph, logits, flat))
    except NotAClassifier as error:
        raise InputError(f"no scores can be read where the profile says that the logits are: {error}") from None


def check_rows(output: str, scores: NDArray[np.float64], samples: int) -> None:
    """Refuse scores that are not one row a sample, as where a weight is the output. Errors: NotAClassifier."""
    if len(scores) != samples:
        raise NotAClassifier(
            f"output {output!r} gives {len(scores)} rows for {samples} images, not one score a class for each; read it "
            "with `onnxray values`"
        )


def output_form(graph: Graph, scores: NDArray[np.float64]) -> Form:
    """What the numbers (N, K) of the output are: probabilities, their logarithms, or what a softmax makes them of.

    Where no softmax or sigmoid closes the graph only the numbers tell: rows that are not negative and add up to 1 are
    probabilities. Not those of a Relu, which can add up to 1 by chance.
    """
    closing = closing_of(graph)
    if closing.kind is not None:
        return "logarithm" if closing.kind == "log-softmax" else "probability"
    value = graph.values.get(closing.output)
    exact = (
        value is not None and value.dtype in {"float32", "float64"} and classical_node(graph, closing.output) is None
    )
    off = np.abs(scores.sum(1) - 1).max()
    distribution = (scores >= 0).all() and off <= (_ROUNDING if exact else _COARSE)
    return "probability" if distribution and last_operator(graph, closing.output) != "Relu" else "softmax"


def probabilities_of(graph: Graph, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K): what the file itself says of each class by the numbers of its output; the softmax of plain scores."""
    reading = Reading(value=closing_of(graph).output, form=output_form(graph, scores))
    return np.asarray(reading.probabilities(scores, np))


def head_of(graph: Graph, logits: str, scores: NDArray[np.float64]) -> Head:
    """How logits and probabilities are read so that the latter are those of the output, whose numbers are ``scores``.

    logits: the value that the model's user calls so.
    """
    closing = closing_of(graph)
    form = output_form(graph, scores)
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
    if logits != closing.logits:
        return Head(reading_of(graph, logits), probabilities)
    return Head(reading_of(graph, closing.logits, "softmax", axis, flat=flat), probabilities)
