"""Squares of images that are changed together, and the rings that are added to them (Square's paper, section 3.3).

    eta(h, w)  the upper half is rings about its centre, the lower half minus the same about its own; norm 1
    rings      sum_{k >= 0} 1 / (k + 1)^2 over the rectangles of 2 k + 1 a side about the centre that hold a number

An array that is no picture is one row: a square of it is a stretch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from onnxray.methods.attack.threat import Floats

_LEAST = 3
"""The least side under l2, whose halves have a centre each."""


@dataclass(frozen=True, eq=False)
class Window:
    """A window for each of n samples. index: picks (n, channels, height, width) of them out of arrays of all."""

    index: tuple[Any, Any, Any, Any]

    @classmethod
    def at(cls, drawn: Floats, shape: tuple[int, ...], size: tuple[int, int]) -> Self:
        """Where uniform numbers (n, 2) place it, in samples of this shape (n, channels, height, width)."""
        count, channels, height, width = shape
        top, left = (
            (drawn[:, axis] * (full - part + 1)).astype(np.intp)
            for axis, (full, part) in enumerate(zip((height, width), size))
        )
        rows, columns = top[:, None] + np.arange(size[0]), left[:, None] + np.arange(size[1])
        first, second = np.arange(count).reshape(-1, 1, 1, 1), np.arange(channels).reshape(1, -1, 1, 1)
        return cls((first, second, rows[:, None, :, None], columns[:, None, None, :]))


def shape_of(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(channels, height, width) of a sample; of an array one channel of one row."""
    channels, height, width = shape if len(shape) == 3 else (1, 1, math.prod(shape))
    return channels, height, width


def square_of(side: float, height: int, width: int) -> tuple[int, int]:
    """The sides of a square within an image; where that is lower, of the same area."""
    whole = max(round(side), 1)
    if whole <= height:
        return whole, min(whole, width)
    return height, min(max(round(side * side / height), 1), width)


def odd(size: int, most: int) -> int:
    """The next odd size from 3, where it fits."""
    return min(max(size + (size + 1) % 2, _LEAST), most)


def tiles(height: int, width: int, count: int) -> Iterator[tuple[slice, slice]]:
    """Rectangles side by side, ``count`` a side; what is left over at the ends is in none."""
    tall, wide = max(1, height // count), max(1, width // count)
    for top in range(0, height - tall + 1, tall):
        for left in range(0, width - wide + 1, wide):
            yield slice(top, top + tall), slice(left, left + wide)


def _rings(height: int, width: int) -> Floats:
    found = np.zeros((height, width))
    top, left = height // 2, width // 2
    for k in range(max(height // 2 + 1, width // 2 + 1)):
        rows = slice(max(top - k, 0), min(top + k + 1, height))
        found[rows, max(left - k, 0) : min(left + k + 1, width)] += 1 / (k + 1) ** 2
    return found / max(float(np.linalg.norm(found)), 1e-30)


@functools.cache
def eta(height: int, width: int) -> Floats:
    """(2, height, width), each of norm 1: the upper half up and the lower down; and the left half and the right."""
    above = np.concatenate([_rings(height // 2, width), -_rings(height - height // 2, width)])
    beside = np.concatenate([_rings(height, width // 2), -_rings(height, width - width // 2)], axis=1)
    both = np.stack([beside if height == 1 else above, above if width == 1 else beside])
    both /= np.linalg.norm(both, axis=(1, 2), keepdims=True)
    both.flags.writeable = False
    return both


def swapped(d: Floats, where: Window, other: Window, rings: Floats, eps: Floats) -> Floats:
    """(n, channels, height, width): d with ``rings`` in one window, which takes over the norm of another, now empty.

    eps: (n, 1, 1, 1).
    Its norm in each channel is sqrt(max(eps^2 - ||d||^2, 0) / channels + ||d||^2 of both windows).
    """
    found, old = d.astype(np.float64), d[where.index].astype(np.float64)
    missing = np.maximum(eps * eps - (found**2).sum((1, 2, 3), keepdims=True), 0) / d.shape[1]
    own = (old**2).sum((2, 3), keepdims=True)
    found[where.index] = 0
    taken = own + (found[other.index] ** 2).sum((2, 3), keepdims=True)
    new = rings + old / np.maximum(np.sqrt(own), 1e-12)
    new /= np.maximum(np.sqrt((new**2).sum((2, 3), keepdims=True)), 1e-12)
    found[other.index] = 0
    found[where.index] = new * np.sqrt(missing + taken)
    return found
