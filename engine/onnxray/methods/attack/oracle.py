"""What an attack asks of a model, and how often: the judge's word, the twin's slopes, counted for each sample.

A query is one pass of one sample. They are counted apart: forward by the judge, forward by the twin, backward.

What an engine answers with NaN or infinity says nothing: a sample has not arrived there, its margin is infinite and its
gradient zero. That is counted, and concerns none of the samples that it was asked about with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import NotFinite, NotFiniteGradient
from onnxray.images.pixels import Pixels
from onnxray.methods.attack.success import Criterion
from onnxray.methods.attack.threat import Floats, Norm
from onnxray.methods.variable import Rows, Variable
from onnxray.objectives.class_losses import LossName
from onnxray.objectives.gradients import judged
from onnxray.objectives.objective import Objective


@dataclass(frozen=True, kw_only=True, eq=False)
class Queries:
    """(N,) each: how often each sample was asked about; unreadable: how often the answer was NaN or infinity."""

    judge: NDArray[np.int64]
    forward: NDArray[np.int64]
    backward: NDArray[np.int64]
    unreadable: NDArray[np.int64]

    @classmethod
    def none(cls, count: int) -> Queries:
        """Before the first."""
        return cls(**{one.name: np.zeros(count, np.int64) for one in fields(cls)})

    @property
    def total(self) -> NDArray[np.int64]:
        """All of them."""
        return np.asarray(self.judge + self.forward + self.backward)

    def row(self, index: int) -> dict[str, int]:
        """Plain values for JSON."""
        return {
            "judge": int(self.judge[index]), "forward": int(self.forward[index]), "backward": int(self.backward[index])
        }  # fmt: skip

    def said(self, rows: Rows) -> str | None:
        """What is to be said of these samples; None where every answer could be read."""
        some = int((self.unreadable[rows] > 0).sum())
        if not some:
            return None
        return (
            f"of {some} sample(s) scores or gradients were NaN or infinity somewhere on the way, which counts as not "
            "arrived there"
        )


class Spent(Exception):
    """No query is left, in the middle of a solver that is not asked."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Slopes:
    """The twin's answer for n samples: (n,) loss and margin, and (n, numbers) the loss's gradient, a step."""

    loss: NDArray[np.float64]
    margin: NDArray[np.float64]
    gradient: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Oracle:
    """The samples of a run, what is asked of them, and the two engines behind a count of queries.

    Attacks see perturbations d alone: float32 (n, numbers), one row a sample, in steps: grey levels of pixels, 255ths
    of their range of arrays. ``rows`` say which samples they are of. limit: queries a sample may take, of all kinds
    together.
    """

    variable: Variable
    criterion: Criterion
    queries: Queries
    limit: int | None = None

    @cached_property
    def numbers(self) -> int:
        """How many a sample has."""
        return math.prod(self.variable.start.shape[1:])

    def left(self, rows: Rows, wanted: int = 1) -> NDArray[np.bool_]:
        """(n,): which of these may be asked about so many times more."""
        if self.limit is None:
            return np.ones(len(rows), bool)
        return np.asarray(self.queries.total[rows] + wanted <= self.limit)

    def samples(self, d: Floats, rows: Rows) -> Floats:
        """x_0 + d, as the variable has samples, within what they may hold."""
        origin = self.variable.floats(rows)
        moved = origin + d.reshape(origin.shape) * self.variable.steps(rows).astype(origin.dtype)
        return self.variable.bounded(moved)

    def fed(self, d: Floats, rows: Rows) -> Pixels:
        """The same with what is held, as the model takes it."""
        return self.variable.fed(self.samples(d, rows), rows)

    def within(self, d: Floats, rows: Rows) -> Floats:
        """d cut off where x_0 + d would leave what a sample may hold."""
        low, high = self.bounds(rows)
        return np.asarray(np.clip(d, low, high), np.float32)

    def bounds(self, rows: Rows) -> tuple[Floats, Floats]:
        """(n, numbers): the least and the greatest d; infinite of arrays, which have no bounds that are known."""
        low, high = (np.asarray(one.reshape(len(rows), self.numbers), np.float32) for one in self.variable.limits(rows))
        return low, high

    def rounded(self, d: Floats, rows: Rows, norm: Norm, eps: Floats | None = None) -> Floats:
        """d of what is saved, within eps where it is given: whole grey levels of pixels; arrays stay as they are."""
        if not self.variable.whole_steps:
            return d
        bound = np.full(len(rows), np.inf) if eps is None else np.asarray(eps, np.float64)
        return norm.rounded(self.within(d, rows), bound)

    def met(self, d: Floats, rows: Rows) -> NDArray[np.bool_]:
        """(n,): whether the judge says that x_0 + d, as it is, has arrived."""
        return self.met_at(self.samples(d, rows), rows)

    def met_at(self, x: Floats, rows: Rows) -> NDArray[np.bool_]:
        """(n,): the same of samples x that these have become, whatever else was done to them."""
        if not len(rows):
            return np.zeros(0, bool)
        np.add.at(self.queries.judge, rows, 1)
        return self._met(x, rows)

    def _met(self, x: Floats, rows: Rows) -> NDArray[np.bool_]:
        try:
            return self.criterion.met(self.variable.model, self.variable.fed(x, rows), rows)
        except NotFinite:
            if len(rows) == 1:
                self.queries.unreadable[rows] += 1
                return np.zeros(1, bool)
        halves = np.array_split(np.arange(len(rows)), 2)
        return np.concatenate([self._met(x[half], rows[half]) for half in halves])

    def margins(self, d: Floats, rows: Rows) -> NDArray[np.float64]:
        """(n,): the margins by the judge."""
        return self._readable(self.judged(d, rows, self.criterion.margin(rows)), rows)

    def _readable(self, numbers: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
        """Infinite where they are no numbers."""
        finite = np.isfinite(numbers)
        np.add.at(self.queries.unreadable, rows[~finite], 1)
        return np.where(finite, numbers, np.inf)

    def judged(self, d: Floats, rows: Rows, objective: Objective) -> NDArray[np.float64]:
        """(n,): any objective by the judge."""
        np.add.at(self.queries.judge, rows, 1)
        return judged(self.variable.model, self.fed(d, rows), objective)

    def slopes(self, d: Floats, rows: Rows, kind: LossName = "margin") -> Slopes:
        """Loss and margin at x_0 + d and the loss's gradient; one forward and one backward pass of each."""
        return self.slopes_of(d, rows, self.criterion.loss(kind, rows))

    def slopes_of(self, d: Floats, rows: Rows, objective: Objective) -> Slopes:
        """The same for an objective of one's own."""
        return self.slopes_at(self.samples(d, rows), rows, objective)

    def slopes_at(self, x: Floats, rows: Rows, objective: Objective) -> Slopes:
        """The same at samples x that these have become, whatever else was done to them."""
        np.add.at(self.queries.forward, rows, 1)
        np.add.at(self.queries.backward, rows, 1)
        return self._slopes(x, rows, objective)

    def _slopes(self, x: Floats, rows: Rows, objective: Objective) -> Slopes:
        also = (objective, self.criterion.margin(rows))
        try:
            scores, gradient = self.variable.slopes(x, rows, objective, also)
        except NotFiniteGradient:
            if len(rows) == 1:
                if np.array_equal(x, self.variable.floats(rows)):  # the sample itself has none: nothing to begin with
                    raise
                self.queries.unreadable[rows] += 1
                nothing = np.zeros((1, self.numbers), np.float32)
                return Slopes(loss=np.full(1, np.inf), margin=np.full(1, np.inf), gradient=nothing)
            halves = np.array_split(np.arange(len(rows)), 2)
            parts = [self._slopes(x[half], rows[half], objective.rows(half)) for half in halves]
            return Slopes(
                loss=np.concatenate([part.loss for part in parts]),
                margin=np.concatenate([part.margin for part in parts]),
                gradient=np.concatenate([part.gradient for part in parts]),
            )
        margin = scores[1] if np.isfinite(scores[1]).all() else self._readable(scores[1], rows)
        gradient = np.asarray(gradient, np.float32).reshape(len(rows), -1)
        return Slopes(loss=scores[0], margin=margin, gradient=gradient)

    def slopes_while_left(self, d: Floats, rows: Rows, objective: Objective) -> Slopes:
        """As ``slopes_of``, for a solver that stops by itself alone. Errors: Spent where a sample has no query left."""
        if not self.left(rows, 2).all():
            raise Spent
        return self.slopes_of(d, rows, objective)
