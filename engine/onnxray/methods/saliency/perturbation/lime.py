"""LIME: local interpretable model-agnostic explanations (Ribeiro, Singh, Guestrin 2016, arXiv 1602.04938).

    w, c = argmin sum_i k(z_i) (v(z_i) - c - w . z_i)^2 + ridge |w|^2,   k(z) = exp(-D(z)^2 / width^2)

z_i: which parts are there, each with probability 1/2; the first is the sample itself. v: the score of the sample whose
other parts are replaced (coalitions.py). D: the distance of z from all parts, cosine, 1 - sqrt(|z| / d), as in the
authors' code for images, or euclidean, sqrt(d - |z|). The intercept c is not penalised. The authors' code has the root
of the kernel, which is a width sqrt(2) times as large: their 0.25 is 0.354 here. The map is w.

R^2 = 1 - sum k (v - c - w . z)^2 / sum k (v - mean v)^2 says how much of the score the line accounts for, over the
samples that it is fitted to. By ONNX Runtime alone: no gradient is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.option_checks import Range
from onnxray.methods.saliency.perturbation.coalitions import (
    Flags,
    Game,
    PartAttribution,
    Tick,
    Weights,
    refuse_too_large,
)

Distance = Literal["cosine", "euclidean"]
Floats = NDArray[np.float64]

_POOR = 0.5


@final
@dataclass(frozen=True, kw_only=True)
class LIME(PartAttribution):
    """LIME: the line that fits the score best where parts of the sample are taken out at random. No gradients."""

    name: ClassVar[str] = "lime"

    samples: Annotated[int, "how many changed samples", Range(2)] = 1000
    distance: Annotated[Distance, "how far a changed sample is from the whole"] = "cosine"
    width: Annotated[float, "width of the kernel, in units of the distance", Range(1e-6, 1e6)] = 0.354
    ridge: Annotated[float, "weight of the squared coefficients' penalty", Range(0.0, 1e12)] = 1.0

    def weights(self, game: Game, random: np.random.Generator, tick: Tick) -> Weights:
        """The coefficients of the fit."""
        count = game.parts.count
        refuse_too_large(self.samples, count)
        present = drawn(self.samples, count, random)
        scores = game.scores(present, tick)
        found, intercept, share = local_fit(present, scores, kernel(present, self.distance, self.width), self.ridge)
        reason = None
        if share is None:
            reason = "the score is the same whatever parts are there, so the fit says nothing"
        elif share < _POOR:
            reason = f"the line accounts for {share:.0%} of the score's variance; take more samples or fewer parts"
        numbers = {"r_squared": share, "intercept": intercept, "samples": self.samples}
        return Weights(parts=found, numbers=numbers, reason=reason)


def drawn(samples: int, parts: int, random: np.random.Generator) -> Flags:
    """(samples, parts): each part there with probability 1/2, all of them in the first."""
    present = random.integers(0, 2, (samples, parts)).astype(bool)
    present[0] = True
    return present


def kernel(present: Flags, distance: Distance, width: float) -> Floats:
    """k of coalitions (M, parts)."""
    here, parts = present.sum(1), present.shape[1]
    far = 1 - np.sqrt(here / parts) if distance == "cosine" else np.sqrt(parts - here)
    return np.asarray(np.exp(-((far / width) ** 2)))


def local_fit(present: Flags, scores: Floats, weights: Floats, ridge: float) -> tuple[Floats, float, float | None]:
    """w, c and R^2; None where the scores are all the same. Of several best w the shortest (a ridge of 0)."""
    z, total = present.astype(np.float64), weights.sum()
    means, level = (weights[:, None] * z).sum(0) / total, float((weights * scores).sum() / total)
    root, centred = np.sqrt(weights), scores - level
    rows = np.vstack([root[:, None] * (z - means), np.sqrt(ridge) * np.eye(z.shape[1])])
    found = np.linalg.lstsq(rows, np.append(root * centred, np.zeros(z.shape[1])), rcond=None)[0]
    spread = float((weights * centred**2).sum())
    left = float((weights * (centred - (z - means) @ found) ** 2).sum())
    return found, level - float(means @ found), 1 - left / spread if spread else None
