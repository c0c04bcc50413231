"""Insertion and deletion (Petsiuk, Das, Saenko 2018, arXiv 1806.07421): what the pixels that a map ranks first do.

    deletion   s_k = S(x with its first p_k pixels replaced by the baseline)
    insertion  s_k = S(start with its first p_k pixels taken from x)
    p_k = round(k P / K), k = 0..K;   area = integral of s over p / P in [0, 1], by trapezoids

Pixels come in falling order of the map. A good map loses the class early (small deletion area) and finds it early
(large insertion area). Measured by ONNX Runtime alone. The area is no absolute grade: compare maps of one image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.images.pixels import Pixels
from onnxray.model.model import Model
from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.gradients import judged
from onnxray.objectives.objective import Objective

Start = Literal["blur", "mean"]

# Images that go through the judge at once.
_CHUNK = 32
# The paper's code: a Gaussian of 11 taps and sigma 5.
_TAPS, _SIGMA = 11, 5.0


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Scores against the share of the pixels that were inserted or deleted."""

    fractions: tuple[float, ...]
    scores: tuple[float, ...]

    @property
    def area(self) -> float:
        """sum_k (s_k + s_(k-1)) / 2 * (f_k - f_(k-1))."""
        scores, fractions = np.array(self.scores), np.array(self.fractions)
        return float((np.diff(fractions) * (scores[1:] + scores[:-1]) / 2).sum())

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON; a score that is no number is None, and so is the area then, with the reason."""
        scores = [score if np.isfinite(score) else None for score in self.scores]
        if None in scores:
            lost = {"area": None, "reason": f"the target is no finite number at {scores.count(None)} of the steps"}
            return {**lost, "fractions": list(self.fractions), "scores": scores}
        return {"area": self.area, "fractions": list(self.fractions), "scores": scores}


def measured_score(objective: Objective) -> Objective:
    """What the curves measure: a class's probability, as in the paper; any other target as it is."""
    return replace(objective, kind="probability") if isinstance(objective, ClassScore) else objective


def insertion_and_deletion(
    model: Model,
    pixels: Pixels,
    objective: Objective,
    heat: NDArray[np.floating[Any]],
    *,
    steps: int = 50,
    start: Start = "blur",
    random: np.random.Generator,
) -> tuple[Curve, Curve]:
    """The two curves of one map of one image (``pixels`` and ``objective`` hold one row).

    steps: K, at most one a pixel. start: what insertion begins with, the image blurred (11 taps, sigma 5) or the mean
    colour of the profile; deletion ends at the mean colour. Pixels of equal rank come in random order, or the flat
    parts of a map would be read row by row. For samples that are no images, each number is a pixel, and both baselines
    are zero. Errors: as judged.
    """
    sample = pixels.array[0]
    mean = mean_like(model, pixels)
    place = ranked(heat, random)
    counts = np.rint(np.linspace(0, place.size, min(steps, place.size) + 1)).astype(np.int64)
    begin = blurred(sample) if start == "blur" and not pixels.plain else mean
    curves = []
    for before, after in ((begin, sample), (sample, mean)):
        scores = list[float]()
        for first in range(0, len(counts), _CHUNK):
            some = counts[first : first + _CHUNK]
            changed = np.stack([np.where(place < count, after, before) for count in some])
            index = np.zeros(len(some), np.int64)
            scores += judged(model, pixels.rows(index).replaced(changed), objective.rows(index)).tolist()
        curves.append(Curve(fractions=tuple((counts / place.size).tolist()), scores=tuple(scores)))
    return curves[0], curves[1]


def ranked(heat: NDArray[np.floating[Any]], random: np.random.Generator) -> NDArray[np.int64]:
    """The place of every pixel in falling order of the map, equal ones in random order; of the map's shape."""
    shuffled = random.permutation(heat.size)
    order = shuffled[np.argsort(-heat.ravel()[shuffled], kind="stable")]
    place = np.empty(heat.size, np.int64)
    place[order] = np.arange(heat.size)
    return place.reshape(heat.shape)


def mean_like(model: Model, pixels: Pixels) -> NDArray[Any]:
    """The profile's mean colour as an image, rounded to grey levels; zeros for samples that are no images."""
    sample = pixels.array[0]
    if pixels.plain or model.profile is None:
        return np.zeros_like(sample)
    colour = np.rint(np.array(model.profile.mean_colour, sample.dtype))
    return np.broadcast_to(colour.reshape(-1, 1, 1), sample.shape)


def blurred(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each channel under a Gaussian of 11 taps and sigma 5, mirrored at the edges; (channels, height, width)."""
    import cv2

    return np.stack([cv2.GaussianBlur(np.ascontiguousarray(channel), (_TAPS, _TAPS), _SIGMA) for channel in image])
