"""Concept activation vectors: the normal of the plane that parts two sets of activations, towards the first.

    v = w / |w|,   (w, c) = argmin mean_n log(1 + exp(-y_n (w . h_n + c))) + decay / 2 |w|^2,   y = 1 or -1

h: the activations, less their mean and scaled to a mean squared length of 1, so that the decay means the same at every
layer. w lies in the span of the activations, w = H^T a, and a is what is sought: as many numbers as pictures, whatever
the layer's size. A third of each set is held out; the accuracy is theirs, each set counting half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST: Final = 6
"""Pictures of a set: a third of them is held out, and two thirds are learnt from."""
_DECAY, _STEPS = 1e-2, 500


@dataclass(frozen=True, eq=False)
class ConceptVector:
    """direction: (numbers of the layer,), of length 1; zero where the sets are the same. accuracy: on what was held."""

    direction: Floats
    accuracy: float


def concept_vector(shown: NDArray[Any], others: NDArray[Any], random: np.random.Generator) -> ConceptVector:
    """From activations of pictures that show a concept, and of others: (pictures, numbers) each, FEWEST at least."""
    parts = [_parted(array, random) for array in (shown, others)]
    learnt = np.concatenate([part[0] for part in parts]).astype(np.float64)
    signs = np.repeat([1.0, -1.0], [len(part[0]) for part in parts])
    mean = learnt.mean(0)
    learnt -= mean
    size = float(np.sqrt((learnt**2).sum(1).mean())) or 1.0
    learnt /= size
    share, level = _fitted(learnt @ learnt.T, signs)
    direction = share @ learnt
    right = [
        float((sign * ((held - mean) / size @ direction + level) > 0).mean()) for sign, (_, held) in zip((1, -1), parts)
    ]
    length = float(np.linalg.norm(direction))
    return ConceptVector(direction / length if length else direction, float(np.mean(right)))


def _parted(array: NDArray[Any], random: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two thirds and one third."""
    order = random.permutation(len(array))
    held = len(array) // 3
    return array[order[held:]], array[order[:held]]


def _fitted(gram: Floats, signs: Floats) -> tuple[Floats, float]:
    """a and c, by L-BFGS; gram: h_m . h_n."""
    from scipy.optimize import minimize

    count = len(signs)

    def loss(numbers: Floats) -> tuple[float, Floats]:
        share, level = numbers[:-1], numbers[-1]
        seen = gram @ share
        margin = signs * (seen + level)
        pull = -signs / (1 + np.exp(np.clip(margin, -500, 500))) / count
        value = float(np.logaddexp(0, -margin).mean() + _DECAY / 2 * share @ seen)
        return value, np.append(gram @ pull + _DECAY * seen, pull.sum())

    found = minimize(
        loss, np.zeros(count + 1), jac=True, method="L-BFGS-B",
        options={"maxiter": _STEPS, "ftol": 1e-14, "gtol": 1e-10},
    )  # fmt: skip
    return found.x[:-1], float(found.x[-1])
