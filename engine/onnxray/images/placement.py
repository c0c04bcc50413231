"""Where a picture comes to lie in the model's input: the geometry of the profile's resize rule, and its inverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxray.images.profile.profile import Profile

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels: x to the right, y down, from the upper left corner; the first of each included, the last
not, so that the width is x1 - x0."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A picture of ``original`` (width, height) is resized to ``resized``, then its part from (left, top) on is taken.

    left and top are below zero where the picture is padded.
    """

    original: tuple[int, int]
    resized: tuple[int, int]
    left: int
    top: int

    def to_original(self, box: Box) -> Box:
        """x_original = (x + left) * width_original / width_resized, cut off at the picture's edges; likewise y."""
        x0, y0, x1, y1 = box
        (width, height), (wide, high) = self.original, self.resized

        def back(value: float, offset: int, size: int, now: int) -> float:
            return min(max((value + offset) * size / now, 0.0), float(size))

        return (
            back(x0, self.left, width, wide), back(y0, self.top, height, high),
            back(x1, self.left, width, wide), back(y1, self.top, height, high),
        )  # fmt: skip


def placement(profile: Profile, width: int, height: int) -> Placement:
    """Where a picture of that size comes to lie in the profile's.

    "stretch": both sides to the size. "crop", of size / crop_fraction = (H', W'): enlarged or reduced, keeping the
    aspect, until it just covers (H', W'), the longer side rounded down; then the centre, as torchvision and timm do.
    "pad": until it just fits inside, centred. A picture that has the size stays as it is.
    """
    high, wide = profile.size
    if (height, width) == (high, wide) or profile.resize == "stretch":
        return Placement((width, height), (wide, high), 0, 0)
    if profile.resize == "pad":
        by_width = width * high >= height * wide
        new_w = wide if by_width else min(wide, max(1, round(width * high / height)))
        new_h = min(high, max(1, round(height * wide / width))) if by_width else high
        return Placement((width, height), (new_w, new_h), -((wide - new_w) // 2), -((high - new_h) // 2))
    # A hair is added because 28 / (28 / 51) falls a hair short of 51.
    cover_h, cover_w = (int(side / profile.crop_fraction + 1e-6) for side in (high, wide))
    by_height = width * cover_h >= height * cover_w
    new_w, new_h = (width * cover_h // height, cover_h) if by_height else (cover_w, height * cover_w // width)
    return Placement((width, height), (new_w, new_h), round((new_w - wide) / 2), round((new_h - high) / 2))
