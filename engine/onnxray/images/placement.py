"""Where a picture comes to lie in the model's input: the geometry of the profile's resize rule, and its inverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxray.images.profile.profile import CropOffset, Profile

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
    """Where a picture of that size comes to lie in the profile's. A picture that has the size stays as it is.

    First to (H', W'), which is ``resized``, else size / crop_fraction for "crop" and the size for the others:
    "stretch": both sides. "crop": enlarged or reduced, keeping the aspect, until it just covers (H', W'); the longer
    side is rounded down where that is a square, as torchvision does, else to the nearest, as timm does. "pad": until
    it just fits inside. Then the centre: what is larger than the size is cut, what is smaller lies in the middle. With
    a crop_offset of "start" both begin at the upper left corner.
    """
    high, wide = profile.size
    if (height, width) == (high, wide):
        return Placement((width, height), (wide, high), 0, 0)
    new_w, new_h = _resized(profile, width, height)
    left, top = (_offset(new - size, profile.crop_offset) for new, size in ((new_w, wide), (new_h, high)))
    return Placement((width, height), (new_w, new_h), left, top)


def _resized(profile: Profile, width: int, height: int) -> tuple[int, int]:
    """(width, height) that a picture is resized to before its centre is taken."""
    high, wide = profile.resized or profile.size
    if profile.resize == "stretch":
        return wide, high
    if profile.resize == "pad":
        by_width = width * high >= height * wide
        new_w = wide if by_width else min(wide, max(1, round(width * high / height)))
        new_h = min(high, max(1, round(height * wide / width))) if by_width else high
        return new_w, new_h
    if profile.resized is None:
        # A hair is added because 28 / (28 / 51) falls a hair short of 51.
        high, wide = (int(side / profile.crop_fraction + 1e-6) for side in (high, wide))
    by_height = width * high >= height * wide
    if high == wide:
        return (width * high // height, high) if by_height else (wide, height * wide // width)
    return (round(width * high / height), high) if by_height else (wide, round(height * wide / width))


def _offset(surplus: int, rounding: CropOffset) -> int:
    """Where the centre begins in a side that is longer by that much; below zero where it is shorter."""
    if rounding == "start":
        return 0
    if rounding == "floor":
        return surplus // 2
    return round(surplus / 2) if surplus >= 0 else -(-surplus // 2)
