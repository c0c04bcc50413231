"""The pictures that are trained on, a batch at a time, as they are or altered anew in each epoch.

    rotated by up to 12 degrees, sheared by up to 0.15, scaled by up to 12 %, moved by up to a fourteenth of the side,
warped by a smooth random field of about a pixel in 28: all times ``distort``; mirrored in every second case
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import affine_grid, grid_sample, interpolate

from onnxray.images.picture_list import PictureList
from onnxray.images.pixels import Pixels
from onnxray.training.options import HELD


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Pictures, some of which are trained on. places: these, in ``pictures``; classes: of each of these."""

    pictures: Sequence[Pixels]
    held: torch.Tensor | None
    places: NDArray[np.int64]
    classes: NDArray[np.int64]

    @classmethod
    def of(cls, pictures: PictureList, places: NDArray[np.int64], classes: NDArray[np.int64]) -> Examples:
        """Held in memory where they fit."""
        size = 4 * math.prod(pictures.profile.shape) * len(places)
        held = torch.from_numpy(np.array(pictures.rows(places).array)) if size <= HELD else None
        return cls(pictures=pictures, held=held, places=places, classes=classes)

    def __len__(self) -> int:
        return len(self.places)

    def rows(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels (n, C, H, W) in grey levels, and classes."""
        if self.held is not None:
            x = self.held[torch.from_numpy(rows)]
        else:
            found = [self.pictures[int(place)].array for place in self.places[rows]]
            x = torch.from_numpy(np.concatenate(found))
        return x, torch.from_numpy(self.classes[rows])

    def batches(
        self, size: int, count: int, order: np.random.Generator, random: torch.Generator, *, distort: float,
        flip: bool,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:  # fmt: skip
        """``count`` of them, all in a random order and then all again; the last batch is as small as it comes."""
        rows = shuffled(len(self), count, order)
        for start in range(0, len(rows), size):
            x, y = self.rows(rows[start : start + size])
            if distort:
                x = distorted(x, random, distort)
            if flip:
                mirrored = torch.rand(len(x), generator=random) < 0.5
                x = torch.where(mirrored.reshape(-1, 1, 1, 1), x.flip(3), x)
            yield x, y


def shuffled(length: int, count: int, order: np.random.Generator) -> NDArray[np.int64]:
    """``count`` places below ``length``: all of them in a random order, and then all again in another."""
    rounds = [order.permutation(length) for _ in range(-(-count // length))]
    return np.concatenate(rounds)[:count]


def distorted(images: torch.Tensor, random: torch.Generator, strength: float) -> torch.Tensor:
    """Each of (n, C, H, W) by amounts of its own, the edge repeated beyond it."""
    count, _, height, width = images.shape

    def uniform(bound: float, *shape: int) -> torch.Tensor:
        return (torch.rand(count, *shape, generator=random) * 2 - 1) * bound * strength

    angle, shear = uniform(math.radians(12)), uniform(0.15)
    across, down = 1 + uniform(0.12), 1 + uniform(0.12)
    cos, sin = angle.cos(), angle.sin()
    shift = uniform(2 / 14, 2)
    rows = torch.stack([cos * across, (shear - sin) * down, shift[:, 0], sin * across, cos * down, shift[:, 1]])
    grid = affine_grid(rows.T.reshape(count, 2, 3), [count, 1, height, width], align_corners=False)
    coarse = torch.randn(count, 2, 6, 6, generator=random) * (0.8 * strength * 2 / 28)
    warp = interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    return grid_sample(images, grid + warp.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)
