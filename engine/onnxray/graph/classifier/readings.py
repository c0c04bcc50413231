"""How the numbers of a classifier are read: what makes them probabilities, and what their whole numbers stand for.

    softmax      p_k = exp z_k / sum_j exp z_j, along the softmax's own axes
    sigmoid      p_k = 1 / (1 + exp -z_k), each class by itself
    logarithm    p_k = exp z_k
    probability  p_k = z_k

z = (q - zero) scale where a value holds whole numbers q. Of one number for two classes (binary) z is the second's:
the first has 1 - z where it is a probability, else -z. Numpy arrays and torch tensors are read alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np

from onnxray.errors import InputError
from onnxray.graph.facts import Graph
from onnxray.graph.node_attributes import constant
from onnxray.graph.operator_kinds import MOVING, ZERO_POINTS
from onnxray.graph.whole_numbers import quantises

_EVEN = 0.5

Form = Literal["softmax", "sigmoid", "logarithm", "probability"]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The numbers of all classes at one value, of N samples: of shape (N, K), or (N, ...) with K numbers a sample.

    axis: the softmax's; flat: with all axes after it (operator sets before 13). None: all but the samples'.
    scale, zero: of whole numbers; unknown: they are whole numbers whose step is not known. binary: one number stands
    for two classes, of which the second wins where its probability is above the threshold.
    """

    value: str
    form: Form = "softmax"
    axis: int | None = None
    flat: bool = False
    scale: float | None = None
    zero: float = 0.0
    unknown: bool = False
    binary: bool = False
    threshold: float = 0.5

    def real(self, array: Any) -> Any:
        """z from what the value holds; (N, 2) of the two classes where it is binary."""
        z = array if self.scale is None else (array - self.zero) * self.scale
        return both_classes(z, probability=self.form == "probability") if self.binary else z

    def axes(self, z: Any) -> tuple[int, ...]:
        """The axes that the classes which exclude each other stand on. Errors: InputError where samples stand there."""
        if self.axis is None:
            return tuple(range(1, z.ndim))
        first = self.axis % z.ndim
        found = tuple(range(first, z.ndim)) if self.flat else (first,)
        if 0 in found and not (len(z) == 1 and len(found) == z.ndim):
            raise InputError(
                f"the softmax of {self.value!r} runs over its axis 0, the samples, so a class has no probability of "
                "its own; use --score logit"
            )
        return tuple(axis for axis in found if axis)

    def logarithms(self, z: Any, xp: ModuleType) -> Any:
        """log p of real numbers z, in their shape; minus infinity where p is zero. Errors: InputError."""
        self._check()
        if self.form == "softmax":
            axes = self.axes(z)
            lower = z - xp.amax(z, axis=axes, keepdims=True)
            return lower - xp.log(xp.exp(lower).sum(axes, keepdims=True))
        if self.form == "sigmoid":
            size = xp.abs(z)
            return (z - size) / 2 - xp.log1p(xp.exp(-size))
        if self.form == "logarithm":
            return z
        with np.errstate(divide="ignore"):
            return xp.log(z)

    def probabilities(self, z: Any, xp: ModuleType) -> Any:
        """p of real numbers z, in their shape. Errors: InputError."""
        self._check()
        return z if self.form == "probability" else xp.exp(self.logarithms(z, xp))

    def ranking(self, z: Any) -> Any:
        """Numbers (numpy) whose order over all classes tells which wins: that of p, by the threshold of two."""
        if self.binary and self.threshold != _EVEN:
            return self.probabilities(z, np) / np.array([1 - self.threshold, self.threshold])
        return self.logarithms(z, np) if self.form == "softmax" and self.axis is not None else z

    def _check(self) -> None:
        if self.unknown and self.form == "softmax":
            raise InputError(
                f"{self.value!r} holds whole numbers of unknown step, and no probability can be had from them; use "
                "--score logit or margin"
            )


def both_classes(z: Any, *, probability: bool) -> Any:
    """(N, 2): what two classes have where one number z stands for the second; see the top of the file."""
    second = z.reshape(-1, 1)
    first = 1 - second if probability else -second
    if isinstance(z, np.ndarray):
        return np.concatenate([first, second], axis=1)
    import torch

    return torch.cat([first, second], dim=1)


@dataclass(frozen=True)
class Head:
    """Where a classifier's numbers are read: the logits, and what its probabilities are computed from.

    The two differ where the file rounds its probabilities (they are read as it gives them), or where the profile names
    other logits than the closing softmax is given.
    """

    logits: Reading
    probabilities: Reading


def reading_of(
    graph: Graph, value: str, form: Form = "softmax", axis: int | None = None, *, flat: bool = False
) -> Reading:
    """The reading of a value; whole numbers by the scale that they were quantised with."""
    found = steps(graph, value)
    scale, zero = found if found is not None else (None, 0.0)
    facts = graph.values.get(value)
    whole = facts is not None and facts.dtype.startswith(("int", "uint"))
    return Reading(
        value=value, form=form, axis=axis, flat=flat, scale=scale, zero=zero, unknown=whole and found is None
    )


def steps(graph: Graph, name: str) -> tuple[float, float] | None:
    """(scale, zero point) of a quantised value; None of others, and where there is not one known number of each."""
    node = graph.producer_of.get(name)
    while node is not None and node.operator in MOVING and node.inputs:
        node = graph.producer_of.get(node.inputs[0])
    if node is None or not quantises(node):
        return None
    position = ZERO_POINTS[node.domain, node.operator]
    scale = _number(graph, node.inputs[position - 1])
    zero_name = node.inputs[position] if position < len(node.inputs) else ""
    zero = _number(graph, zero_name) if zero_name else 0.0
    return None if scale is None or zero is None else (scale, zero)


def _number(graph: Graph, name: str) -> float | None:
    """The one number of a constant."""
    array = constant(graph, name)
    return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None
