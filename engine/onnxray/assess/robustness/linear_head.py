"""The active test of an attack (Zimmermann, Brendel, Tramer, Carlini 2022, arXiv 2206.13991): a head that has a hole.

Of an image x and a budget eps, f the features that the last layer reads: the head h(x') = <w, f(x') - f(x)> - b is
negative on x and on random points of the ball, and positive on one point x* of it:

    w = f(x*) - f(x),   b = (1 - m) (<w, w> - r) + r,   r = max over inner points of <w, f(x_i) - f(x)>,   m = 0.1

x* is a corner of the ball, inner points are drawn in it. An attack that goes down -h and does not find h > 0 is weak
on this network, whatever it says of the network's own head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onnxray.images.pixels import Pixels
from onnxray.methods.attack.oracle import Oracle
from onnxray.methods.attack.success import Criterion
from onnxray.methods.attack.threat import Norm
from onnxray.methods.variable import Rows
from onnxray.model.model import Model
from onnxray.objectives.class_losses import LossName
from onnxray.objectives.gradients import judged
from onnxray.objectives.objective import Index, Objective, namespace

_INNER = 50
_MARGIN = 0.1


@dataclass(frozen=True, eq=False)
class HeadScore(Objective):
    """-h, for each sample; w and the offset <w, f(x)> + b have a row for each."""

    value: str
    weights: NDArray[np.float32]
    offsets: NDArray[np.float64]

    @property
    def values(self) -> tuple[str, ...]:
        """The features."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """offset - <w, f>."""
        f = values[self.value]
        flat, xp = f.reshape(len(f), -1), namespace(f)
        weights, offsets = self.weights[place], self.offsets[place]
        if xp is not np:
            return xp.as_tensor(offsets).to(flat) - (xp.as_tensor(weights).to(flat) * flat).sum(1)
        return offsets - (weights * flat).sum(1)

    def rows(self, index: Index) -> HeadScore:
        """Those of these rows."""
        return replace(self, weights=self.weights[index], offsets=self.offsets[index])

    def describe(self, row: int) -> str:
        """The head."""
        return f"a linear head on {self.value} with an adversarial example"


@dataclass(frozen=True, kw_only=True, eq=False)
class HeadFlipped(Criterion):
    """h > 0, by the judge."""

    score: HeadScore
    place_of: Mapping[int, int]
    """Sample -> its row among those that have a head."""

    @classmethod
    def around(cls, oracle: Oracle, rows: Rows, feature: str, norm: Norm, eps: float, seed: int) -> Self:
        """A head for each of these samples."""
        weights, offsets = [], []
        for row in rows.tolist():
            random = np.random.default_rng([seed, row])
            one = np.full(_INNER + 2, row)
            inner = np.stack([norm.draw(random, oracle.numbers, eps) for _ in range(_INNER)])
            corner = norm.steepest(random.standard_normal((1, oracle.numbers)).astype(np.float32)) * np.float32(eps)
            d = oracle.within(np.concatenate([np.zeros_like(corner), inner, corner]), one)
            f = (
                oracle.variable.model.values(oracle.fed(d, one), [feature])[feature]
                .reshape(len(one), -1)
                .astype(np.float64)
            )
            w = f[-1] - f[0]
            along = (f - f[0]) @ w
            reach = float(along[:-1].max())
            weights.append(w.astype(np.float32))
            offsets.append(float(f[0] @ w) + reach + (1 - _MARGIN) * (float(along[-1]) - reach))
        score = HeadScore(feature, np.stack(weights), np.array(offsets))
        return cls(score=score, place_of={row: k for k, row in enumerate(rows.tolist())})

    def margin(self, rows: Rows) -> Objective:
        """-h."""
        return self.score.rows(np.array([self.place_of[row] for row in rows.tolist()]))

    def loss(self, kind: LossName, rows: Rows) -> Objective:
        """The same."""
        return self.margin(rows)

    def met(self, model: Model, samples: Pixels, rows: Rows) -> NDArray[np.bool_]:
        """h > 0."""
        return np.asarray(judged(model, samples, self.margin(rows)) < 0)

    def describe(self, row: int) -> str:
        """The head."""
        return self.score.describe(row)
