"""RISE's random masks, made in parts so that they never lie in memory together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from onnxray.images.interpolation import Neighbours, between


@dataclass(frozen=True, eq=False)
class RandomMasks:
    """cells: (N, s, s) of 0 and 1. shifts: (N, 2), the row and column that each enlarged mask is cut from.

    The enlarged mask is (s + 1) c high, c = ceil(height / s) being a cell; rows of it are bilinear between the centres
    of the cells, mirrored at the border, as scikit-image's ``resize`` of order 1 with its default mode.
    """

    cells: NDArray[np.float32]
    shifts: NDArray[np.int64]
    plane: tuple[int, int]

    @classmethod
    def drawn(cls, count: int, side: int, keep: float, plane: tuple[int, int], random: np.random.Generator) -> Self:
        """``count`` masks: each cell 1 with probability ``keep``, shifts uniform within a cell."""
        cells = (random.random((count, side, side)) < keep).astype(np.float32)
        high = [-(-length // side) for length in plane]
        return cls(cells, random.integers(0, high, (count, 2)), plane)

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """The masks ``start`` to ``stop``: (M, height, width), from 0 to 1."""
        height, width = self.plane
        vertical, horizontal = self._enlarging
        found = np.empty((len(self.cells[start:stop]), height, width), np.float32)
        for mask, cells, (top, left) in zip(found, self.cells[start:stop], self.shifts[start:stop]):
            wide = between(cells, _part(horizontal, left, width), -1)
            mask[:] = between(wide, _part(vertical, top, height), -2)
        return found

    @cached_property
    def _enlarging(self) -> tuple[Neighbours, Neighbours]:
        side = self.cells.shape[1]
        vertical, horizontal = (_neighbours(side, (side + 1) * -(-length // side)) for length in self.plane)
        return vertical, horizontal


def _part(neighbours: Neighbours, start: int, count: int) -> Neighbours:
    low, high, share = neighbours
    part = slice(start, start + count)
    return low[part], high[part], share[part]


def _neighbours(count: int, length: int) -> Neighbours:
    """Where ``length`` places lie among ``count`` numbers, both spread evenly; mirrored outside."""
    places = np.abs((np.arange(length) + 0.5) * count / length - 0.5)
    places = np.where(places > count - 1, 2 * (count - 1) - places, places) if count > 1 else np.zeros(length)
    low = np.minimum(np.floor(places).astype(np.int64), max(0, count - 2))
    return low, np.minimum(low + 1, count - 1), (places - low).astype(np.float32)
