"""Losses of classes that attacks go down: each smaller, the nearer to another class, or to the one that is wanted.

Of the class y that is left (untargeted), with z the logits, p the probabilities, z_(1) >= z_(2) >= ... sorted:

    cross-entropy       log p_y
    margin              z_y - max_{j != y} z_j            (below 0 where another class wins)
    probability-margin  p_y - max_{j != y} p_j            (Xu et al. 2024, arXiv 2411.15210)
    difference-of-logits-ratio
                        (z_y - max_{j != y} z_j) / (z_(1) - z_(3))      (Croce, Hein 2020, arXiv 2003.01690)

Of a class t that is wanted in place of y: -log p_t; max_{j != t} z_j - z_t; the same of p; and
(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2). Below 4 classes the ratio is the margin: there is nothing to divide by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from onnxray.graph.classifier.readings import Head
from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.objective import Index, Objective, namespace

LossName = Literal["cross-entropy", "margin", "probability-margin", "difference-of-logits-ratio"]

_FEW = 4
"""Classes below which the ratio has no divisor of its own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassLoss(Objective):
    """A loss of this file's top for each sample. left: y. wanted: t, None where any other class will do."""

    kind: LossName
    left: Index
    head: Head
    wanted: Index | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """What the scores are read from."""
        return self._score.values

    @cached_property
    def _score(self) -> ClassScore:
        """Cross-entropy and margin, which are scores of the class that counts, up to their sign.

        Where the file rounds its probabilities, cross-entropy is that of the logits: a zero has no logarithm.
        """
        kind: Literal["log-probability", "margin"] = "log-probability" if self.kind == "cross-entropy" else "margin"
        classes, head = self.left if self.wanted is None else self.wanted, self.head
        if head.probabilities.form == "probability" and head.probabilities.value != head.logits.value:
            head = replace(head, probabilities=head.logits)
        return ClassScore(head.logits.value, classes, kind, (), head)

    @property
    def count(self) -> int:
        """One sample a class."""
        return len(self.left)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """(n,)."""
        if self.kind in {"cross-entropy", "margin"}:
            found = self._score.score(values, place)
            return found if self.wanted is None else -found
        reading = self._score.reading
        array = values[reading.value]
        xp = namespace(array)
        z = reading.real(array).reshape(len(array), -1)
        left, rows = self.left[place], np.arange(len(array))
        if self.kind == "probability-margin":
            p = reading.probabilities(reading.real(array), xp).reshape(len(array), -1)
            own = left if self.wanted is None else self.wanted[place]
            found = p[rows, own] - _best_other(p, own)
            return found if self.wanted is None else -found
        other = _best_other(z, left) if self.wanted is None else z[rows, self.wanted[place]]
        if z.shape[1] < _FEW:
            return z[rows, left] - other
        falling = -np.sort(-z, axis=1) if xp is np else z.sort(dim=1, descending=True).values
        third = falling[:, 2] if self.wanted is None else (falling[:, 2] + falling[:, 3]) / 2
        return (z[rows, left] - other) / (falling[:, 0] - third + 1e-12)

    def rows(self, index: Index) -> ClassLoss:
        """The classes of these rows."""
        return replace(self, left=self.left[index], wanted=None if self.wanted is None else self.wanted[index])

    def describe(self, row: int) -> str:
        """The loss and its classes."""
        to = "" if self.wanted is None else f" to {int(self.wanted[row])}"
        return f"{self.kind} of class {int(self.left[row])}{to}"


def _best_other(z: Any, classes: Index) -> Any:
    """max_{j != y} z_j."""
    xp, rows = namespace(z), np.arange(len(z))
    mask = np.zeros(z.shape, np.float32)
    mask[rows, classes] = np.inf
    if xp is np:
        return (z - mask).max(1)
    return (z - xp.as_tensor(mask, device=z.device)).amax(1)
