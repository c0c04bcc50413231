"""The verdict: a classifier's output as one score, and one probability, a class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.graph.classifier.output import (
    class_labels,
    classical_node,
    closing_sigmoid,
    closing_softmax,
    last_operator,
    logits_of,
    rounds,
)
from onnxray.graph.classifier.readings import Form, Head, Reading, reading_of, softmax_axis, steps
from onnxray.graph.facts import Graph

_ROUNDING = 1e-4
"""How far the sum of probabilities may be from 1 ..."""
_COARSE = 1e-3
"""... and in float16, or where whole numbers stand for them; classical classifiers' tables are rounded as well."""


def per_class(graph: Graph, name: str, raw: Array) -> NDArray[np.float64]:
    """(N, K) from (N, K), (N, K, 1, 1) or a ZipMap's N dictionaries; anything else is no classifier's output.

    Whole numbers that were quantised become the real numbers that they stand for.
    Errors: InputError for another shape or type, NaN, or infinity as a largest score.
    """
    if raw.dtype == object and raw.size and all(isinstance(one, Mapping) for one in raw.flat):
        classes = class_labels(graph) or tuple(raw.flat[0])
        raw = np.array([[scores[label] for label in classes] for scores in raw.flat])
    if raw.dtype.kind not in "fiub":
        raise InputError(f"output {name!r} holds {raw.dtype}, not one score a class; read it with `onnxray values`")
    scores = raw.astype(np.float64)
    if raw.dtype.kind in "iu" and (found := steps(graph, name)) is not None:
        scores = (scores - found[1]) * found[0]
    if scores.ndim >= 2 and scores.size == scores.shape[0] * scores.shape[1]:
        scores = scores.reshape(scores.shape[:2])
    if scores.ndim != 2 or not scores.size:
        raise InputError(
            f"output {name!r} has the shape {list(raw.shape)}, not one score a class; read it with `onnxray values`"
        )
    if np.isnan(scores).any():
        raise InputError(f"output {name!r} holds NaN, so no class can be told; are there NaN in the weights?")
    if np.isinf(scores.max(1)).any():  # minus infinity marks a class that is ruled out, beside others
        raise InputError(f"output {name!r} holds infinity as its largest score, so no class can be told")
    return scores


def check_rows(output: str, scores: NDArray[np.float64], samples: int) -> None:
    """Refuse scores that are not one row a sample, as where a weight is the output. Errors: InputError."""
    if len(scores) != samples:
        raise InputError(
            f"output {output!r} gives {len(scores)} rows for {samples} images, not one score a class for each; read it "
            "with `onnxray values`"
        )


def output_form(graph: Graph, output: str, given: NDArray[np.float64]) -> Form:
    """What the numbers (N, K) of ``output`` are: probabilities, their logarithms, or what a softmax makes them of.

    Where no softmax or sigmoid closes the graph only the numbers tell: rows that are not negative and add up to 1 are
    probabilities. Not those of a Relu, which can add up to 1 by chance.
    """
    softmax = closing_softmax(graph, output)
    if softmax is not None:
        return "logarithm" if softmax.operator == "LogSoftmax" else "probability"
    if closing_sigmoid(graph, output) is not None:
        return "probability"
    value = graph.values.get(output)
    fine = value is not None and value.dtype in {"float32", "float64"} and classical_node(graph, output) is None
    off = np.abs(given.sum(1) - 1).max()
    distribution = (given >= 0).all() and off <= (_ROUNDING if fine else _COARSE)
    return "probability" if distribution and last_operator(graph, output) != "Relu" else "softmax"


def probabilities_of(graph: Graph, output: str, given: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K): what the file itself says of each class; the softmax of plain scores."""
    form = output_form(graph, output, given)
    return np.asarray(Reading(value=output, form=form).probabilities(given, np))


def head_of(graph: Graph, logits: str, output: str, given: NDArray[np.float64]) -> Head:
    """How logits and probabilities are read so that the latter are those of ``output``, whose numbers are ``given``.

    logits: the value that the model's user calls so.
    """
    own = logits_of(graph)
    form = output_form(graph, output, given)
    softmax = closing_softmax(graph, output)
    closing = softmax or closing_sigmoid(graph, output)
    axis, flat = (None, False) if softmax is None else softmax_axis(graph, softmax)
    source = own if last_operator(graph, output) == "ZipMap" else output
    if closing is None:
        probabilities = reading_of(graph, source, form)
    elif rounds(graph, output, closing) or own != closing.inputs[0]:
        probabilities = reading_of(graph, output, form)
    else:
        probabilities = reading_of(graph, own, "sigmoid" if softmax is None else "softmax", axis, flat=flat)
    if logits != own:
        return Head(reading_of(graph, logits), probabilities)
    return Head(reading_of(graph, own, "softmax", axis, flat=flat), probabilities)
