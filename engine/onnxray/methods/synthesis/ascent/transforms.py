"""What an image goes through before the network sees it at a step: random, differentiable, the same for a batch.

A transform may be handed an image larger than the model's by ``margin`` pixels a side pair, and gives back one of the
model's own size: what is optimised then reaches beyond what is seen.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch.nn import functional


class Transform(ABC):
    """x (N, C, H + margin, W + margin) -> (N, C, H, W)."""

    @property
    def margin(self) -> int:
        """How many more rows and columns it takes than it gives."""
        return 0

    @abstractmethod
    def __call__(self, x: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Transform a batch."""


@dataclass(frozen=True, kw_only=True)
class Crop(Transform):
    """A random window: jitter by 0 to ``pixels`` rows and columns (Mahendran & Vedaldi 2016; lucid)."""

    pixels: int

    @property
    def margin(self) -> int:
        """The play that the window has."""
        return self.pixels

    def __call__(self, x: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """x[.., i : i + H, j : j + W]."""
        row, column = (_whole(0, self.pixels, random) for _ in range(2))
        height, width = x.shape[2] - self.pixels, x.shape[3] - self.pixels
        return x[:, :, row : row + height, column : column + width]


@dataclass(frozen=True, kw_only=True)
class Roll(Transform):
    """A random shift of up to ``pixels`` either way, round the edges (DeepDream's jitter)."""

    pixels: int

    def __call__(self, x: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """x rolled."""
        return torch.roll(
            x, (_whole(-self.pixels, self.pixels, random), _whole(-self.pixels, self.pixels, random)), (2, 3)
        )


@dataclass(frozen=True, kw_only=True)
class Similarity(Transform):
    """Jitter, scale and rotation in one bilinear resampling, over a ground of ``ground`` grey levels.

        x'(p) = x(R_phi (p - m) / s + m + d), p pixel centres, m the middle, the ground outside

    s from ``scales``, phi from ``degrees`` (uniform picks), d the sum of one of -k/2, -k/2 + 1, ..., k/2 for each k in
    ``jitters``. The standard transforms of lucid: pad 12 with grey, jitter 8, scale 0.9 to 1.1 in steps of
    0.02, rotate -10 to 10 degrees (zero five times more), jitter 4.
    """

    scales: tuple[float, ...] = tuple(1 + (i - 5) / 50 for i in range(11))
    degrees: tuple[float, ...] = (*range(-10, 11), 0, 0, 0, 0, 0)
    jitters: tuple[int, ...] = (8, 4)
    ground: float = 127.5

    def __call__(self, x: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """The resampled batch."""
        scale, degrees = _pick(self.scales, random), _pick(self.degrees, random)
        down, across = (sum(_whole(0, k, random) - k / 2 for k in self.jitters) for _ in range(2))
        matrix = self.matrix(scale, math.radians(degrees), down, across, x.shape[2], x.shape[3])
        grid = functional.affine_grid(matrix, [1, *x.shape[1:]], align_corners=False).expand(len(x), -1, -1, -1)
        seen = functional.grid_sample(x - self.ground, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return seen.add_(self.ground)

    @staticmethod
    def matrix(scale: float, angle: float, down: float, across: float, height: int, width: int) -> torch.Tensor:
        """(1, 2, 3): where an output pixel is read, in the coordinates of affine_grid (-1 to 1 along each axis)."""
        cosine, sine = math.cos(angle) / scale, math.sin(angle) / scale
        return torch.tensor(
            [[[cosine, -sine * height / width, 2 * across / width], [sine * width / height, cosine, 2 * down / height]]]
        )


def _whole(low: int, high: int, random: torch.Generator) -> int:
    """A whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=random))


def _pick(choices: tuple[float, ...], random: torch.Generator) -> float:
    return choices[_whole(0, len(choices) - 1, random)]
