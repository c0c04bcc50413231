"""The smallest step along a fixed direction that meets a goal, on what is saved, judged by the file itself.

    x(s) = round(clip(x + s * d, 0, 255)),   max|d| = 1,   s = 1/16, 2/16, ..., max_scale

Pixels saturate on the way, so scales above 255 matter; arrays are neither rounded nor clipped, and d is in their own
units (see ``Variable``). The set of scales that meet a goal need not be an interval, and often is none below its first
whole number. ``exhaustive`` tries every sixteenth below the first whole number that meets the goal; ``integers`` all
whole numbers, and every sixteenth of the last 32 of them; ``bisection`` grows and halves.
Rozsa, Rudd and Boult 2016, section 4.3; Rozsa, Guenther and Boult 2016.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.images.eight_bits import to_uint8

Hits = Callable[[NDArray[Any]], NDArray[np.bool_]]
"""A batch of 8-bit images, or of arrays as they are saved -> for each, whether it meets the goal."""
Saved = Callable[[NDArray[Any]], NDArray[Any]]
"""Real numbers -> what is saved of them."""

REFINED_TO = 1 / 16
CHEAP_ELEMENTS = 16_384
"""Images of up to this many numbers are searched by integers: all whole numbers take the judge about a second."""
NEAR = 32
"""So many whole numbers below the first that meets the goal are searched by sixteenths, which is half as much again."""

_BATCH = 128


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Where a search ended: on the first scale that met the goal, or on ``max_scale`` where none did.

    search: ``exhaustive``, every sixteenth below the scale was tried; ``integers``, every whole number, and every
    sixteenth of the last 32; ``bisection``, neither. With the latter two a smaller scale may meet the goal.
    """

    image: NDArray[Any]
    scale: float
    reached: bool
    search: str


def direction_of(gradient: NDArray[Any]) -> NDArray[np.float64] | None:
    """d = g / max|g| for one image; None where g is zero or not finite, so that no direction can be taken from it."""
    largest = float(np.abs(gradient).max(initial=0))
    return gradient.astype(np.float64) / largest if 0 < largest < np.inf else None


@dataclass(frozen=True, eq=False)
class Line:
    """x + s * d in double precision, and what is saved of it: of pixels round(clip(.)), halves to the even one."""

    origin: NDArray[Any]
    direction: NDArray[np.float64]
    saved: Saved = to_uint8

    def at(self, scale: float) -> NDArray[Any]:
        """x(s)."""
        return self.saved(self.origin.astype(np.float64) + scale * self.direction)

    def at_each(self, scales: NDArray[Any]) -> NDArray[Any]:
        """x(s) of several scales."""
        steps = scales.reshape(-1, *[1] * self.origin.ndim) * self.direction[None]
        return self.saved(self.origin[None].astype(np.float64) + steps)


def resolve_search(search: Literal["auto", "exhaustive", "integers", "bisection"], elements: int) -> str:
    """The search that ``auto`` means for an image of so many numbers: by its size, so that results repeat."""
    if search != "auto":
        return search
    return "integers" if elements <= CHEAP_ELEMENTS else "bisection"


def search_scale(line: Line, hits: Hits, *, max_scale: int, search: str) -> Found:
    """Find the smallest scale that meets the goal; see the top of the file for the three ways to search."""
    if search == "bisection":
        scale = _growth(line, hits, max_scale)
    else:
        scale = whole = _integers(line, hits, max_scale)
        if whole is not None:
            above = 0 if search == "exhaustive" else max(0, whole - NEAR)
            search = "integers" if above else "exhaustive"
            scale = _sixteenths(line, hits, above, whole)
    reached = scale is not None
    scale = float(max_scale) if scale is None else scale
    return Found(line.at(scale), scale, reached, search)


def _integers(line: Line, hits: Hits, max_scale: int) -> int | None:
    """All whole numbers in order, in batches; the first that meets the goal."""
    last = line.at(max_scale)
    for start in range(1, max_scale + 1, _BATCH):
        scales = np.arange(start, min(start + _BATCH, max_scale + 1))
        images = line.at_each(scales)
        met = np.flatnonzero(hits(images))
        if met.size:
            return int(scales[met[0]])
        if np.array_equal(images[-1], last):  # every pixel that moves is saturated: nothing more will change
            return None
    return None


def _sixteenths(line: Line, hits: Hits, above: int, whole: int) -> float:
    """Every sixteenth from ``above`` to the first whole number that meets the goal, in order; the first that does."""
    between = _between(line, above, whole)
    while batch := [*itertools.islice(between, _BATCH)]:
        met = np.flatnonzero(hits(np.stack([image for _, image in batch])))
        if met.size:
            return batch[int(met[0])][0]
    return float(whole)


def _between(line: Line, above: int, whole: int) -> Iterator[tuple[float, NDArray[Any]]]:
    """The sixteenths between two whole numbers with their images, but for whole numbers and what rounds to the one
    before: those were judged already, or are the origin.
    """
    a_unit = round(1 / REFINED_TO)
    before = line.at(above)
    for start in range(above * a_unit + 1, whole * a_unit, _BATCH):
        steps = np.arange(start, min(start + _BATCH, whole * a_unit))
        images = line.at_each(steps * REFINED_TO)
        moved = (images != np.concatenate([before[None], images[:-1]])).reshape(len(images), -1).any(1)
        before = images[-1]
        for k in np.flatnonzero(moved & (steps % a_unit != 0)).tolist():
            yield float(steps[k]) * REFINED_TO, images[k]


def _growth(line: Line, hits: Hits, max_scale: int) -> float | None:
    """Scales 1, 2, 4, ..., max_scale until one meets the goal, then bisection: to whole numbers, then to 1/16."""
    low, high = 0.0, 1.0
    while not hits(line.at(high)[None])[0]:
        if high >= max_scale:
            return None
        low, high = high, min(2 * high, float(max_scale))
    low, high = _bisect(line, hits, low, high, until=1.0)
    return _bisect(line, hits, low, high, until=REFINED_TO)[1]


def _bisect(line: Line, hits: Hits, low: float, high: float, *, until: float) -> tuple[float, float]:
    """Halve (low, high], at multiples of ``until``, so that its upper end always meets the goal.

    An image that is one of the ends' own is not judged again.
    """
    below, above = line.at(low), line.at(high)
    while high - low > until:
        middle = low + (high - low) / until // 2 * until
        image = line.at(middle)
        if np.array_equal(image, above) or (not np.array_equal(image, below) and hits(image[None])[0]):
            high, above = middle, image
        else:
            low, below = middle, image
    return low, high
