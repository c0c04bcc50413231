"""A converted file against the framework that it came from: the same inputs, value by value where names survive.

difference = max |ONNX Runtime - framework| / max |framework|        labels, other whole numbers: equal
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import MismatchError
from onnxray.graph.file.made_model import Reference
from onnxray.model.encoding import seeded
from onnxray.model.model import Model

TOLERANCE: Final = 1e-4
"""Of a value's largest number: rounding of float32 in networks stays below 1e-5."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared: value -> the largest difference, in shares of its largest number.

    inputs: how many sets of them. undecided: labels that were not compared, for two classes tie.
    """

    differences: Mapping[str, float]
    inputs: int
    undecided: int = 0

    @property
    def largest(self) -> float:
        """The largest difference of all."""
        return max(self.differences.values(), default=0.0)

    @property
    def where(self) -> str:
        """The value that it is at."""
        return max(self.differences, key=lambda name: self.differences[name])


def prove(model: Model, reference: Reference, proofs: Iterable[Mapping[str, Array]]) -> Proof:
    """Compare on seeded inputs and those that are given. Errors: MismatchError names the value."""
    own = model.feeds(seeded(model.graph, model.profile, model.judge.outputs))
    differences: dict[str, float] = {}
    count = hidden = 0
    for feeds in (own, *proofs):
        count += 1
        expected = reference(feeds)
        missing = [value.name for value in model.graph.outputs if value.name not in expected]
        if missing:
            raise MismatchError(f"the framework gives no output {missing[0]!r}, which the converted file has")
        names = [name for name in expected if name in model.graph.values]
        for name, array in model.judge.values(feeds, names, once=True).items():
            shown = ~np.ma.getmaskarray(expected[name])
            hidden += int(np.count_nonzero(~shown))
            _check_shape(name, array, expected[name])
            off = _difference(name, array[shown], np.ma.getdata(expected[name])[shown])
            differences[name] = max(differences.get(name, 0.0), off)
    return Proof(differences, count, hidden)


def _check_shape(name: str, judged: Array, expected: Array) -> None:
    """Errors: MismatchError."""
    if judged.shape != expected.shape:
        raise MismatchError(
            f"the conversion is wrong: {name!r} is of shape {judged.shape} in ONNX Runtime, of {expected.shape} in "
            "the framework; nothing was written"
        )


def _difference(name: str, judged: Array, expected: Array) -> float:
    """Errors: MismatchError."""
    if judged.dtype.kind != "f" or expected.dtype.kind != "f":
        wrong = int(np.count_nonzero(judged != expected))
        if wrong:
            raise MismatchError(
                f"the conversion is wrong: {wrong} of {judged.size} entries of {name!r} are others than in the "
                "framework; nothing was written"
            )
        return 0.0
    finite = np.isfinite(expected)
    found, known = judged.astype(np.float64), expected.astype(np.float64)
    largest = float(np.abs(known[finite]).max(initial=0.0))
    same = bool(np.array_equal(found[~finite], known[~finite], equal_nan=True))
    off = float(np.abs(found[finite] - known[finite]).max(initial=0.0)) / max(largest, float(np.finfo(np.float32).tiny))
    if not same or not off <= TOLERANCE:
        told = f"{off:.2g} of its largest number" if same else "infinite or no number where the framework's is not"
        raise MismatchError(
            f"the conversion is wrong: {name!r} is off by {told}; at most {TOLERANCE:g} was expected; nothing was "
            "written"
        )
    return off
