"""Maps as pictures: colours that stay apart for every kind of colour vision, and print in grey.

Unsigned maps run from dark to light through matplotlib's ``inferno``; signed ones from blue (against) over white (none)
to red (for), ``RdBu`` turned round. Others can be asked for; a diverging one shows what is positive in its upper half.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.eight_bits import to_uint8

Colormap = Literal["auto", "inferno", "viridis", "cividis", "magma", "RdBu", "PuOr"]


# Turned round, so that what speaks for the target is warm.
_DIVERGING = {"RdBu": "RdBu_r", "PuOr": "PuOr_r"}
# How much of the colours lies over the image where the map says nothing, and where it says most.
_COVER_LEAST, _COVER_MOST = 0.25, 0.8


@dataclass(frozen=True, kw_only=True, eq=False)
class MapPictures(Mapping[str, Image8]):
    """``image``, ``map`` and ``overlay`` (and ``more``) of one map by name; the two are drawn each time they are read.

    A map in hand is seldom looked at, and drawing takes longer than many a map. heat: as it is drawn, its colour scale
    from zero to ``span``.
    """

    image: Image8
    heat: NDArray[np.float32]
    span: float
    signed: bool
    colormap: str = "auto"
    more: Mapping[str, Image8] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Image8:
        if name == "image":
            return self.image
        if name == "map":
            return draw_map(self.heat, self.span, signed=self.signed, colormap=self.colormap)
        if name == "overlay":
            return draw_overlay(self.image, self.heat, self.span, signed=self.signed, colormap=self.colormap)
        return self.more[name]

    def __iter__(self) -> Iterator[str]:
        yield from ("image", "map", "overlay", *self.more)

    def __len__(self) -> int:
        return 3 + len(self.more)


def draw_map(heat: NDArray[np.float32], shown_at: float, *, signed: bool, colormap: str = "auto") -> Image8:
    """(height, width) -> uint8 RGB, CHW. The colour scale ends at ``shown_at`` (and at its negative where signed)."""
    return _colours(_scaled(heat, shown_at, signed=signed), signed, colormap)


def colour_bar(*, signed: bool, colormap: str = "auto", length: int = 256) -> Image8:
    """The colours of the scale from its lowest to its highest number, uint8 RGB of (3, 1, length)."""
    return _colours(np.linspace(-1.0 if signed else 0.0, 1.0, length)[None], signed, colormap)


def draw_overlay(
    image: Image8, heat: NDArray[np.float32], shown_at: float, *, signed: bool, colormap: str = "auto"
) -> Image8:
    """The map over the image in grey; the stronger the map, the less of the image shines through. uint8 RGB, CHW."""
    scaled = _scaled(heat, shown_at, signed=signed)
    strength = np.abs(scaled)
    cover = _COVER_LEAST + (_COVER_MOST - _COVER_LEAST) * strength
    if signed:
        cover = _COVER_MOST * strength
    grey = np.broadcast_to(image.astype(np.float64).mean(0), (3, *heat.shape))
    colours = _colours(scaled, signed, colormap).astype(np.float64)
    return to_uint8(grey * (1 - cover) + colours * cover)


def _scaled(heat: NDArray[np.float32], shown_at: float, *, signed: bool) -> NDArray[np.float64]:
    scaled = heat.astype(np.float64) / (shown_at or 1.0)
    return np.clip(scaled, -1.0 if signed else 0.0, 1.0)


def _colours(scaled: NDArray[np.float64], signed: bool, colormap: str) -> Image8:
    import matplotlib

    name = ("RdBu" if signed else "inferno") if colormap == "auto" else colormap
    whole = signed or name in _DIVERGING
    coloured = np.asarray(matplotlib.colormaps[_DIVERGING.get(name, name)]((scaled + 1) / 2 if whole else scaled))
    return np.ascontiguousarray(to_uint8(coloured[..., :3] * 255).transpose(2, 0, 1))
