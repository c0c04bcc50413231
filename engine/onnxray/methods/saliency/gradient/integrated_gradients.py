"""Integrated gradients (Sundararajan, Taly, Yan 2017, arXiv 1703.01365).

    A = (x - b) * int_0^1 dS/dx (b + a (x - b)) da          sum A = S(x) - S(b)   (completeness)

x in grey levels, b the baseline. The integral by Gauss-Legendre with ``steps`` points, or by the trapezoid rule with
``steps`` intervals (the authors'). Steps are doubled, image by image, until the gap

    |sum A - (S(x) - S(b))| / |S(x) - S(b)|

is small enough; S by ONNX Runtime. A gap that stays is reported with its reason. Of several random baselines the mean
attribution is given, and the gap of the means.

Libraries that take the network's own input give the same: the integral does not depend on the input's scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range, check_choices, check_range
from onnxray.methods.run import Run
from onnxray.methods.saliency.gradient.base import CHANNELS, Attribution, Channels, PixelAttribution, block_size
from onnxray.methods.saliency.gradient.baselines import Baseline, baselines
from onnxray.model.model import Model
from onnxray.objectives.gradients import gradient, judged
from onnxray.objectives.objective import Objective

Rule = Literal["gauss-legendre", "trapezoid"]


@final
@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(PixelAttribution):
    """What each pixel adds to the score on the straight way from a baseline to the image."""

    name: ClassVar[str] = "integrated-gradients"

    channels: Annotated[Channels, CHANNELS] = "magnitude"
    baseline: Annotated[Baseline, "image to begin at; mean: the profile's colour; random: several, averaged"] = "black"
    blur: Annotated[float, "standard deviation of the blurred baseline's Gaussian, in pixels", Range(0.1, 1000.0)] = (
        10.0
    )
    trials: Annotated[int, "how many random baselines", Range(1, 10_000)] = 10
    quadrature: Annotated[Rule, "how the integral is taken"] = "gauss-legendre"
    steps: Annotated[int, "points of the integral to begin with (trapezoid: intervals)", Range(1, 4096)] = 32
    gap: Annotated[
        float, "completeness gap, a share of the score's change; steps are doubled until it is met", Range(0.0, 1e6)
    ] = 0.05
    max_steps: Annotated[int, "most steps; a gap that is not met by then is reported", Range(1, 4096)] = 512

    def __post_init__(self) -> None:
        check_choices(self)
        check_range("max_steps", self.max_steps, self.steps, 4096)

    def map_unit(self, score: str, step: str) -> str:
        """Of a score."""
        return score

    def attributions(
        self, model: Model, pixels: Pixels, objective: Objective, run: Run
    ) -> Iterator[tuple[int, Attribution]]:
        """One integral an image and baseline."""
        reached = judged(model, pixels, objective)
        for row, own in run.units(range(len(pixels))):
            run.progress(row, len(pixels), "image by image")
            starts = baselines(self.baseline, model, pixels, row, blur=self.blur, trials=self.trials, random=own.random)
            if (starts == pixels.array[row]).all():
                raise InputError(
                    f"{pixels.names[row] or f'image {row}'} is its own {self.baseline} baseline, so there is no way "
                    "to integrate along; choose another with --baseline"
                )
            yield row, self._attribution(model, pixels, row, objective, starts, float(reached[row]))

    def _attribution(
        self, model: Model, pixels: Pixels, row: int, objective: Objective, starts: NDArray[np.float32], reached: float
    ) -> Attribution:
        rows = np.full(len(starts), row)
        begun = judged(model, pixels.rows(rows).replaced(starts), objective.rows(rows))
        change = reached - float(begun.mean())
        steps = self.steps
        while True:
            points, weights = quadrature(self.quadrature, steps)
            parts = [_integral(model, pixels, row, objective, start, points, weights) for start in starts]
            array = np.mean(parts, axis=0)
            gap = abs(float(array.sum()) - change) / abs(change) if change else None
            if gap is None or gap <= self.gap or 2 * steps > self.max_steps:
                break
            steps *= 2
        reason = None
        if gap is None:
            reason = "the score is the same at the baseline, so the completeness gap has no measure"
        elif gap > self.gap:
            reason = f"the completeness gap is {gap:.3g} at {steps} steps, above {self.gap:g}"
        numbers = {"gap": gap, "steps": steps, "score_change": change, "baseline": self.baseline}
        return Attribution(array=array.astype(np.float32), numbers=numbers, reason=reason)


def quadrature(rule: Rule, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points in [0, 1] and weights whose sum is 1: ``steps`` of Gauss-Legendre, ``steps`` + 1 of the trapezoid rule."""
    if rule == "gauss-legendre":
        points, weights = np.polynomial.legendre.leggauss(steps)
        return (1 + points) / 2, weights / 2
    weights = np.full(steps + 1, 1 / steps)
    weights[[0, -1]] /= 2
    return np.linspace(0, 1, steps + 1), weights


def _integral(
    model: Model, pixels: Pixels, row: int, objective: Objective, start: NDArray[np.float32],
    points: NDArray[np.float64], weights: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """(x - b) * sum_k w_k dS/dx (b + a_k (x - b)), in blocks of bounded size."""
    way = pixels.array[row].astype(np.float64) - start
    total = np.zeros(way.shape)
    size = block_size(pixels)
    for first in range(0, len(points), size):
        block = slice(first, first + size)
        shares = points[block].astype(np.float32).reshape(-1, *[1] * way.ndim)
        rows = np.full(len(shares), row)
        along = pixels.rows(rows).replaced(start + shares * (pixels.array[row] - start))
        total += np.tensordot(weights[block], gradient(model, along, objective.rows(rows)), axes=1)
    return np.asarray(way * total)
