"""Schedules that zoom in as they go (Nguyen, Yosinski, Clune 2016, Multifaceted Feature Visualization, 1602.03616).

    x <- clip(x + s g / mean|g|, 0, 255);   x <- denoise(x, w)   (projections.Denoise)

in a window of a canvas that grows by 1.2, at random about its middle. Centre bias: the figure is laid out coarse and
smooth at the first size, in the middle, and only its detail is added at the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnxray.errors import InputError
from onnxray.methods.synthesis.ascent.loop import Ascent
from onnxray.methods.synthesis.ascent.optimizers import Normalized
from onnxray.methods.synthesis.ascent.parametrizations import Windowed
from onnxray.methods.synthesis.ascent.projections import Bounds, Denoise


@dataclass(frozen=True, kw_only=True)
class Phase:
    """``steps`` of ``rate`` grey levels (the mean change), denoised with ``weight``; both from a first to a last.

    zoom: of the canvas, over the model's size. spread: of the window, a share of the room it has; 0.3 where the
    authors' is not known to us. margin: the share of a side that is left alone.
    """

    steps: int
    rate: tuple[float, float]
    weight: tuple[float, float]
    zoom: float = 1.0
    spread: float = 0.3
    margin: float = 0.0


_SIDE = 227
"""Of the pictures that the authors' network, CaffeNet, takes."""

_ALONG = 50 / _SIDE

CENTRE_BIAS = (
    Phase(steps=190, rate=(11, 11), weight=(0.001, 0.05)),
    Phase(steps=150, rate=(6, 6), weight=(0.01, 0.08), zoom=1.2),
    Phase(steps=150, rate=(1, 1), weight=(0.01, 2), zoom=1.44),
    Phase(steps=30, rate=(3, 3), weight=(0.1, 2), zoom=1.44, spread=0.1, margin=_ALONG),
    Phase(steps=10, rate=(6, 3), weight=(0.01, 2), zoom=1.44),
)
"""From grey noise. The first two climb the class's probability, the others its logit."""

FROM_A_MEAN = (
    Phase(steps=190, rate=(1, 2), weight=(0.4, 0.4)),
    Phase(steps=150, rate=(1, 1), weight=(0.01, 2), zoom=1.2),
    Phase(steps=20, rate=(2, 2), weight=(0.1, 2), zoom=1.2, spread=0.2, margin=_ALONG),
    Phase(steps=10, rate=(2, 2), weight=(0.4, 2), zoom=1.2),
)
"""From the mean image of a facet; the logit throughout."""


def zooming(
    phases: tuple[Phase, ...], size: tuple[int, int], steps: int | None, rate: float | None, smoothness: float
) -> tuple[Ascent, ...]:
    """The phases as ascents for a model of this size; ``steps`` in all, in their proportions; ``rate`` of the first.

    The weights w belong to 227 pixels: on a side k times as long they are divided by k, so that a figure of the same
    share of the picture loses as much contrast. smoothness: a factor on 1 / w; 0 leaves the denoising out. Errors:
    InputError for fewer steps than phases.
    """
    counts = _shared(tuple(phase.steps for phase in phases), steps)
    factor = 1.0 if rate is None else rate / phases[0].rate[0]
    scale = _SIDE / (sum(size) / 2) / (smoothness or 1.0)
    found = []
    for phase, count in zip(phases, counts):
        first, last = (scale * weight for weight in phase.weight)
        denoise = (Denoise(start=first, end=last, steps=count),) if smoothness else ()
        found.append(
            Ascent(
                steps=count,
                parametrization=Windowed(zoom=phase.zoom, spread=phase.spread, margin=phase.margin),
                projections=(Bounds(), *denoise),
                optimizer=Normalized(start=factor * phase.rate[0], end=factor * phase.rate[1], norm="mean"),
            )
        )
    return tuple(found)


def _shared(counts: tuple[int, ...], steps: int | None) -> tuple[int, ...]:
    """``steps`` shared in the proportions of ``counts``, one at least for each."""
    if steps is None:
        return counts
    if steps < len(counts):
        raise InputError(f"steps is {steps}; the preset has {len(counts)} phases, so as many at least were expected")
    ends = [round(sum(counts[: k + 1]) / sum(counts) * (steps - len(counts))) for k in range(len(counts))]
    return tuple(1 + end - before for end, before in zip(ends, (0, *ends)))
