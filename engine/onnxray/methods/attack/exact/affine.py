"""Scores that are affine in what a file is fed, z = W x + b, read off its nodes in float64.

MatMul and Gemm with constants; Add, Sub, Mul and Div by them; Scaler; changes of shape; LinearClassifier and
SVMClassifier with a linear kernel, which scikit-learn's logistic and softmax regression, LinearSVC and SVC become. What
closes a classifier and leaves the order of its classes alone (a softmax, a logistic of each, Normalizer after them) is
passed. Anything else between the input and the scores is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.shown_text import one_line
from onnxray.graph.classifier.readings import Reading
from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import DAMAGED, attribute, constant
from onnxray.graph.outputs.origins import CLASSICAL

_FLOATS = frozenset({
    onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.BFLOAT16,
})  # fmt: skip
_SHAPING = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast"})
_RISING = frozenset({"NONE", "SOFTMAX", "LOGISTIC"})
"""Transforms after which the largest score is the same one."""
_POSITIVE = frozenset({"SOFTMAX", "LOGISTIC"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine:
    """z = W x + b of an input's numbers, in the order that it is fed in. weight (K, numbers), bias (K,)."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    input: str

    def after(self, matrix: NDArray[np.float64], shift: NDArray[np.float64], name: str) -> Affine:
        """Of what is behind x = M v + c. Errors: ValueError where they do not fit."""
        return Affine(weight=self.weight @ matrix, bias=self.bias + self.weight @ shift, input=name)


def affine_scores(graph: Graph, reading: Reading, classes: int) -> Affine:
    """The scores of so many classes. Errors: InputError, naming what is not affine."""
    count = 1 if reading.binary else classes
    found = Affine(weight=np.eye(count), bias=np.zeros(count), input=reading.value)
    inputs = {value.name for value in graph.inputs} - graph.initializers.keys()
    while found.input not in inputs:
        node = graph.producer_of.get(found.input)
        if node is None:
            raise InputError(f"linear is of files whose scores are W x + b; {found.input!r} depends on no input")
        rule = _RULES.get((node.domain if node.domain == CLASSICAL else "", node.operator))
        try:
            behind = None if rule is None else rule(graph, node, found)
        except DAMAGED:
            behind = None
        if behind is None:
            raise InputError(
                one_line(
                    f"linear is of files whose scores are W x + b, and between the input and {reading.value!r} stands "
                    f"{node.operator} ({node.name or node.outputs[0]}); take ddn, hopskipjump or rays"
                )
            )
        found = behind
    if not reading.binary:
        return found
    weight, bias = np.vstack([-found.weight, found.weight]), np.hstack([-found.bias, found.bias])
    return Affine(weight=weight, bias=bias, input=found.input)  # one number, above 0 where the second class wins


def _number(node: Node, name: str, default: Any) -> NDArray[np.float64]:
    return np.asarray(attribute(node, name, default), np.float64)


def _beside(graph: Graph, node: Node) -> tuple[str, NDArray[np.float64], bool] | None:
    """The operand that is computed, the constant one, and whether the constant comes first."""
    first, second = (constant(graph, name) for name in node.inputs[:2])
    if second is not None and first is None:
        return node.inputs[0], second.astype(np.float64), False
    if first is not None and second is None:
        return node.inputs[1], first.astype(np.float64), True
    return None


def _spread(graph: Graph, name: str, array: NDArray[np.float64], size: int) -> NDArray[np.float64] | None:
    """(size,): a constant beside one sample of a value."""
    value = graph.values.get(name)
    shape = None if value is None or value.shape is None else value.shape[1:]
    known = shape is not None and all(isinstance(one, int) for one in shape) and math.prod(shape) == size  # type: ignore[arg-type]
    dims = tuple(shape) if known and shape is not None else (size,)
    return np.broadcast_to(array, (1, *dims)).reshape(-1)  # type: ignore[arg-type]


def _shaped(_: Graph, node: Node, found: Affine) -> Affine | None:
    if node.operator == "Cast" and attribute(node, "to", 1) not in _FLOATS:
        return None
    if node.operator == "Flatten" and attribute(node, "axis", 1) != 1:
        return None
    return Affine(weight=found.weight, bias=found.bias, input=node.inputs[0])


def _added(graph: Graph, node: Node, found: Affine) -> Affine | None:
    operands = _beside(graph, node)
    if operands is None:
        return None
    name, array, first = operands
    size = found.weight.shape[1]
    shift = _spread(graph, name, array, size)
    if shift is None:
        return None
    sign, of = (1.0, 1.0) if node.operator == "Add" else ((-1.0, 1.0) if first else (1.0, -1.0))
    return Affine(weight=sign * found.weight, bias=found.bias + of * found.weight @ shift, input=name)


def _scaled(graph: Graph, node: Node, found: Affine) -> Affine | None:
    operands = _beside(graph, node)
    if operands is None or (operands[2] and node.operator == "Div"):
        return None
    name, array, _ = operands
    share = _spread(graph, name, array if node.operator == "Mul" else 1 / array, found.weight.shape[1])
    return None if share is None else Affine(weight=found.weight * share, bias=found.bias, input=name)


def _multiplied(graph: Graph, node: Node, found: Affine) -> Affine | None:
    matrix = constant(graph, node.inputs[1])
    if matrix is None or matrix.ndim != 2:
        return None
    return found.after(matrix.T.astype(np.float64), np.zeros(matrix.shape[1]), node.inputs[0])


def _gemm(graph: Graph, node: Node, found: Affine) -> Affine | None:
    matrix = constant(graph, node.inputs[1])
    shift = constant(graph, node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else np.zeros(1)
    if matrix is None or shift is None or attribute(node, "transA", 0):
        return None
    matrix = matrix.astype(np.float64) if attribute(node, "transB", 0) else matrix.astype(np.float64).T
    alpha, beta = float(attribute(node, "alpha", 1.0)), float(attribute(node, "beta", 1.0))
    return found.after(alpha * matrix, beta * np.broadcast_to(shift, (1, len(matrix))).reshape(-1), node.inputs[0])


def _standardised(_: Graph, node: Node, found: Affine) -> Affine | None:
    """Scaler: (x - offset) scale."""
    offset, scale = (
        np.broadcast_to(_number(node, name, default), found.weight.shape[1])
        for name, default in (("offset", 0.0), ("scale", 1.0))
    )
    weight = found.weight * scale
    return Affine(weight=weight, bias=found.bias - weight @ offset, input=node.inputs[0])


def _normalised(graph: Graph, node: Node, found: Affine) -> Affine | None:
    """Normalizer of positive scores, which it divides by one positive number: at the top alone."""
    before = graph.producer_of.get(node.inputs[0])
    transform = None if before is None else _text(before, "post_transform")
    top = np.array_equal(found.weight, np.eye(len(found.weight)))
    if not top or transform not in _POSITIVE or _text(node, "norm", "MAX") not in {"L1", "L2", "MAX"}:
        return None
    return Affine(weight=found.weight, bias=found.bias, input=node.inputs[0])


def _text(node: Node, name: str, default: str = "NONE") -> str:
    found = attribute(node, name, default)
    return found.decode() if isinstance(found, bytes) else str(found)


def _scores_of(found: Affine, weight: NDArray[np.float64], bias: NDArray[np.float64], name: str) -> Affine | None:
    """The scores of a classifier of ai.onnx.ml, which are transformed: at the top alone."""
    if not np.array_equal(found.weight, np.eye(len(weight))):
        return None
    return Affine(weight=weight, bias=bias, input=name)


def _linear_classifier(_: Graph, node: Node, found: Affine) -> Affine | None:
    bias = _number(node, "intercepts", [])
    weight = _number(node, "coefficients", []).reshape(len(bias), -1)
    if _text(node, "post_transform") not in _RISING or len(bias) < 2 or found.input != node.outputs[1]:
        return None
    return _scores_of(found, weight, bias, node.inputs[0])


def _svm_classifier(_: Graph, node: Node, found: Affine) -> Affine | None:
    """Of two classes, without probabilities: the second one's score is f = sum coefficient <v, x> + rho, the other -f.

    (The label beside them is the first where f is above 0: what is answered with is the scores.) Platt's probabilities
    come of an iteration that ends early, and are no function of f alone.
    """
    counts = attribute(node, "vectors_per_class", ())
    linear = _text(node, "kernel_type", "LINEAR") == "LINEAR" and _text(node, "post_transform") in {"NONE", "LOGISTIC"}
    if not linear or len(counts) != 2 or attribute(node, "prob_a", ()) or found.input != node.outputs[1]:
        return None
    vectors = _number(node, "support_vectors", []).reshape(sum(counts), -1)
    weight, bias = _number(node, "coefficients", []) @ vectors, _number(node, "rho", [0.0])[0]
    return _scores_of(found, np.stack([-weight, weight]), np.array([-bias, bias]), node.inputs[0])


_RULES: Final[Mapping[tuple[str, str], Callable[[Graph, Node, Affine], Affine | None]]] = MappingProxyType({
    **{("", name): _shaped for name in _SHAPING},
    ("", "Add"): _added, ("", "Sub"): _added, ("", "Mul"): _scaled, ("", "Div"): _scaled,
    ("", "MatMul"): _multiplied, ("", "Gemm"): _gemm,
    (CLASSICAL, "Scaler"): _standardised, (CLASSICAL, "Normalizer"): _normalised,
    (CLASSICAL, "LinearClassifier"): _linear_classifier, (CLASSICAL, "SVMClassifier"): _svm_classifier,
})  # fmt: skip
