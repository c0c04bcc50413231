"""Where a patch lies on pictures, and pictures with it; by torch, imported when it is asked.

    y = (1 - m) x + m p'      p', m: the patch and its shape, scaled by s, turned by phi, its middle at a random place

as far as it fits: within the picture as a whole, where it does; then all of it is seen by a camera (views.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.physical.transformations import Draw, Transformation, draw
from onnxray.methods.attack.physical.views import Views, differentiated, photographed

if TYPE_CHECKING:
    import torch

ShapeName = Literal["square", "circle"]
Floats = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """down, across: the patch's middle, in pixels. seen: scale and rotation of the patch, and what the camera does."""

    down: float
    across: float
    seen: Draw


def side_of(share: float, shape: ShapeName, height: int, width: int) -> int:
    """Pixels of the side of a square, or across a circle, that covers a share of a picture."""
    area = share * height * width
    return max(1, round(math.sqrt(area if shape == "square" else 4 * area / math.pi)))


def outline(shape: ShapeName, side: int) -> NDArray[np.float32]:
    """(side, side): 1 where the patch is, 0 outside."""
    if shape == "square":
        return np.ones((side, side), np.float32)
    away = (np.arange(side) + 0.5 - side / 2) ** 2
    return np.asarray(away[:, None] + away[None] <= (side / 2) ** 2, np.float32)


def place(
    kinds: Sequence[Transformation], side: int, shape: ShapeName, picture: tuple[int, ...], random: np.random.Generator
) -> Placement:
    """Anywhere on a picture (channels, height, width), as a whole where it fits, else in the middle."""
    seen = draw(kinds, picture, random)
    angle = math.radians(seen.rotation)
    half = side * seen.scale / 2 * (1.0 if shape == "circle" else abs(math.cos(angle)) + abs(math.sin(angle)))
    down, across = (
        float(random.uniform(half, length - half)) if length > 2 * half else length / 2 for length in picture[1:]
    )
    return Placement(down=down, across=across, seen=seen)


def with_patch(pictures: Floats, patch: Floats, shape: ShapeName, places: Sequence[Placement]) -> Views:
    """pictures (n, channels, height, width) with the patch (channels, side, side), and the way back to the patch."""
    return differentiated(patch[None], lambda leaf: _laid_on(pictures, leaf, shape, places))


def _laid_on(pictures: Floats, patch: torch.Tensor, shape: ShapeName, places: Sequence[Placement]) -> torch.Tensor:
    import torch
    from torch.nn import functional

    count, (channels, side), (height, width) = len(pictures), patch.shape[1:3], pictures.shape[2:]
    matrices = torch.tensor([_matrix(one, side, height, width) for one in places], dtype=torch.float32)
    grid = functional.affine_grid(matrices, [count, channels, height, width], align_corners=False)
    mask = torch.from_numpy(outline(shape, side)).expand(count, 1, side, side)
    seen = functional.grid_sample(mask, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    laid = functional.grid_sample(
        patch.expand(count, -1, -1, -1), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    x = torch.from_numpy(np.array(pictures, np.float32))
    return photographed(x * (1 - seen) + seen * laid, [one.seen for one in places])


def _matrix(one: Placement, side: int, height: int, width: int) -> list[list[float]]:
    """(2, 3): where on the patch a pixel of the picture lies, both in the coordinates of affine_grid."""
    angle, unit = math.radians(one.seen.rotation), 2 / (side * one.seen.scale)
    cosine, sine = unit * math.cos(angle), unit * math.sin(angle)
    right, below = width / 2 - one.across, height / 2 - one.down
    return [
        [cosine * width / 2, -sine * height / 2, cosine * right - sine * below],
        [sine * width / 2, cosine * height / 2, sine * right + cosine * below],
    ]
