"""Hot/cold (Rozsa, Rudd, Boult 2016, arXiv 1605.01775, section 4.2).

    w_hot = |h_hot|,   w_cold = -|h_cold|,   0 else,   d = J^T w   (h: the logits, w held fixed)

cold is the class that is left, hot the one that is wanted, or the ``rank``-th closest by its logit (HC-n). The paper
has -h_cold: where h_cold < 0 (log-softmax, logits below 0 throughout) that would push the class up, and -|h_cold| does
what is meant. The smallest scale along d is looked for; ``beyond`` makes hard positives of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.graph.classifier.readings import Head
from onnxray.methods.attack.along import AlongDirection
from onnxray.methods.attack.base import Attacked
from onnxray.methods.attack.success import OtherClass
from onnxray.methods.attack.threat import Floats
from onnxray.methods.option_checks import Range
from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.objective import Objective, Sum


@final
@dataclass(frozen=True, kw_only=True)
class HotCold(AlongDirection):
    """Hot/cold: the logit of another class up and that of the own class down, by one gradient."""

    name: ClassVar[str] = "hot-cold"

    rank: Annotated[int, "n of HC-n: which of the other classes, by its logit, is heated", Range(1, 100_000)] = 1
    sign: Annotated[bool, "take the sign of the direction, as the paper does on MNIST"] = False

    def directions(self, attacked: Attacked) -> Floats:
        """The formula at the top of the file."""
        oracle, rows, criterion = attacked.oracle, attacked.rows, attacked.oracle.criterion
        if not isinstance(criterion, OtherClass):
            raise InputError(f"hot-cold needs classes, and the goal is {criterion.describe(0)!r}; use pgd")
        logits = criterion.said.said.scores[rows]
        cold = criterion.left[rows]
        if criterion.wanted is None:
            near = criterion.nearest(self.rank)[rows]
            if near.shape[1] < self.rank:
                raise InputError(f"rank is {self.rank}, and there are {near.shape[1]} other classes; give at most that")
            hot = near[:, self.rank - 1]
        else:
            hot = criterion.wanted[rows]
        weighted = heated(criterion.said.said.head, logits, hot, cold)
        gradient = oracle.slopes_of(np.zeros((len(rows), oracle.numbers), np.float32), rows, weighted).gradient
        return np.sign(gradient) if self.sign else gradient


def heated(head: Head, logits: NDArray[np.float64], hot: NDArray[np.int64], cold: NDArray[np.int64]) -> Objective:
    """<w, h> of each sample, w by its logits (n, classes) and held fixed."""
    each = np.arange(len(logits))
    return Sum((
        (np.abs(logits[each, hot]), ClassScore(head.logits.value, hot, "logit", (), head)),
        (-np.abs(logits[each, cold]), ClassScore(head.logits.value, cold, "logit", (), head)),
    ))  # fmt: skip
