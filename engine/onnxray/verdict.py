"""The verdict: a classifier's output as one score, and one probability, a class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onnxray.batching import Array
from onnxray.errors import InputError
from onnxray.graph import Graph
from onnxray.structure import class_labels, classical_node, closing_softmax

_ROUNDING = 1e-3


def per_class(graph: Graph, name: str, raw: Array) -> NDArray[np.float64]:
    """(N, K) from (N, K), (N, K, 1, 1) or a ZipMap's N dictionaries; anything else is no classifier's output.

    Errors: InputError for another shape or type, NaN, or infinity as a largest score.
    """
    if raw.dtype == object and raw.size and all(isinstance(one, Mapping) for one in raw.flat):
        classes = class_labels(graph) or tuple(raw.flat[0])
        raw = np.array([[scores[label] for label in classes] for scores in raw.flat])
    if raw.dtype.kind not in "fiub":
        raise InputError(f"output {name!r} holds {raw.dtype}, not one score a class; read it with `onnxray values`")
    scores = raw.astype(np.float64)
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


def probabilities_of(graph: Graph, output: str, given: NDArray[np.float64]) -> NDArray[np.float64]:
    """What ``output`` gives where a softmax closes it, exp of it after LogSoftmax, else its softmax.

    Classifiers of ``ai.onnx.ml`` end in probabilities or in plain scores, and only the numbers tell: rows that are not
    negative and add up to 1 are taken as they are.
    """
    softmax = closing_softmax(graph, output)
    if softmax is not None:
        return np.exp(given) if softmax.operator == "LogSoftmax" else given
    distribution = (given >= 0).all() and np.allclose(given.sum(1), 1, atol=_ROUNDING)
    if distribution and classical_node(graph, output) is not None:
        return given
    powers = np.exp(given - given.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
