"""The smallest step along a fixed direction that meets a goal, on 8-bit images, judged by the file itself.

    x(s) = round(clip(x + s * d, 0, 255)),   max|d| = 1,   s = 1, 2, ..., max_scale, then refined to 1/16

Pixels saturate on the way, so scales above 255 matter. The set of scales that meet a goal need not be an interval: the
exhaustive search takes its first member. Rozsa, Rudd and Boult 2016, section 4.3; Rozsa, Guenther and Boult 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.eight_bits import to_uint8

Hits = Callable[[Image8], NDArray[np.bool_]]
"""A batch of 8-bit images -> for each, whether it meets the goal."""

REFINED_TO = 1 / 16
CHEAP_ELEMENTS = 16_384
"""Images of up to this many numbers are searched exhaustively: all integer scales take the judge about a second."""

_BATCH = 128


@dataclass(frozen=True, slots=True)
class Found:
    """Where a search ended: on the first scale that met the goal, or on ``max_scale`` where none did."""

    image: Image8
    scale: float
    reached: bool
    search: str


def direction_of(gradient: NDArray[Any]) -> NDArray[np.float64] | None:
    """d = g / max|g| for one image; None where g is zero or not finite, so that no direction can be taken from it."""
    largest = float(np.abs(gradient).max(initial=0))
    return gradient.astype(np.float64) / largest if 0 < largest < np.inf else None


def candidate(origin: NDArray[Any], direction: NDArray[np.float64], scale: float) -> Image8:
    """x(s) = round(clip(x + s * d, 0, 255)), halves to the even neighbour, in double precision."""
    return to_uint8(origin.astype(np.float64) + scale * direction)


def resolve_search(search: Literal["auto", "exhaustive", "bisection"], elements: int) -> str:
    """The search that ``auto`` means for an image of so many numbers: by its size, so that results repeat."""
    if search != "auto":
        return search
    return "exhaustive" if elements <= CHEAP_ELEMENTS else "bisection"


def search_scale(
    origin: NDArray[Any],
    direction: NDArray[np.float64],
    hits: Hits,
    *,
    max_scale: int,
    search: str,
) -> Found:
    """Find the smallest scale that meets the goal: all integers, or growth and bisection; then refined to 1/16."""
    if search == "exhaustive":
        bracket = _exhaustive(origin, direction, hits, max_scale)
    else:
        bracket = _growth(origin, direction, hits, max_scale)
    if bracket is None:
        return Found(candidate(origin, direction, max_scale), float(max_scale), reached=False, search=search)
    _, high = _bisect(origin, direction, hits, *bracket, until=REFINED_TO)
    return Found(candidate(origin, direction, high), high, reached=True, search=search)


def _exhaustive(
    origin: NDArray[Any], direction: NDArray[np.float64], hits: Hits, max_scale: int
) -> tuple[float, float] | None:
    """All integer scales in order, in batches; the interval below the first that meets the goal."""
    last = candidate(origin, direction, max_scale)
    for start in range(1, max_scale + 1, _BATCH):
        scales = range(start, min(start + _BATCH, max_scale + 1))
        images = np.stack([candidate(origin, direction, scale) for scale in scales])
        met = np.flatnonzero(hits(images))
        if met.size:
            scale = scales[int(met[0])]
            return scale - 1.0, float(scale)
        if np.array_equal(images[-1], last):  # every pixel that moves is saturated: nothing more will change
            return None
    return None


def _growth(
    origin: NDArray[Any], direction: NDArray[np.float64], hits: Hits, max_scale: int
) -> tuple[float, float] | None:
    """Scales 1, 2, 4, ..., max_scale until one meets the goal, then bisection to neighbouring integers."""
    low, high = 0.0, 1.0
    while not hits(candidate(origin, direction, high)[None])[0]:
        if high >= max_scale:
            return None
        low, high = high, min(2 * high, float(max_scale))
    return _bisect(origin, direction, hits, low, high, until=1.0)


def _bisect(
    origin: NDArray[Any],
    direction: NDArray[np.float64],
    hits: Hits,
    low: float,
    high: float,
    *,
    until: float,
) -> tuple[float, float]:
    """Halve (low, high], at multiples of ``until``, so that its upper end always meets the goal.

    An image that is one of the ends' own is not judged again.
    """
    below, above = candidate(origin, direction, low), candidate(origin, direction, high)
    while high - low > until:
        middle = low + (high - low) / until // 2 * until
        image = candidate(origin, direction, middle)
        if np.array_equal(image, above) or (not np.array_equal(image, below) and hits(image[None])[0]):
            high, above = middle, image
        else:
            low, below = middle, image
    return low, high
