"""Maps of samples that are no pictures: bars, heat strips, spectrograms and coloured words, by what a sample is.

a row of a table         a bar a number, under its column's name
a series or a waveform   the curve, and under it the map as a strip
rows and columns         the sample in grey, and beside it the map in colours
tokens                   the words in reading order, each on its colour
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.drawing.bars import draw_bars
from onnxray.images.drawing.page.palette import WHITE, Palette
from onnxray.images.drawing.planes import draw_planes
from onnxray.images.drawing.strip import draw_strip
from onnxray.images.drawing.words import draw_words

_MOST_BARS = 48
_MOST_WORDS = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class SamplePictures(Mapping[str, Image8]):
    """``map``: one map of one sample, drawn each time it is read; nothing where a map has more than three axes.

    sample: what was fed. heat: as it is drawn, its colours from zero (signed: from its negative) to ``span``. words:
    what the places are called; kind: what the input is read as; title: stands above; shown: what the colours are.
    palette: what it is drawn in.
    """

    sample: NDArray[Any]
    heat: NDArray[np.float32]
    span: float
    signed: bool
    colormap: str
    words: Sequence[str] = ()
    kind: str = "array"
    title: str = ""
    shown: str = "its map"
    palette: Palette = WHITE

    def __getitem__(self, name: str) -> Image8:
        if name not in set(self):
            raise KeyError(name)
        heat, sample = _plane(self.heat), _plane(self.sample)
        if self.kind == "token ids" and heat.ndim == 1 and len(heat) <= _MOST_WORDS:
            words = self.words or [f"#{place}" for place in range(len(heat))]
            return draw_words(
                words,
                heat,
                self.span,
                signed=self.signed,
                colormap=self.colormap,
                title=self.title,
                palette=self.palette,
            )
        if heat.ndim == 2:
            return draw_planes(
                sample, heat, self.span, signed=self.signed, colormap=self.colormap, title=self.title,
                upright=self.kind == "picture", shown=self.shown, palette=self.palette,
            )  # fmt: skip
        if len(heat) <= _MOST_BARS:
            return draw_bars(self.words, heat, sample, title=self.title, palette=self.palette)
        return draw_strip(
            sample, heat, self.span, signed=self.signed, colormap=self.colormap, title=self.title, palette=self.palette
        )

    def __iter__(self) -> Iterator[str]:
        if _plane(self.heat).ndim <= 2:
            yield "map"

    def __len__(self) -> int:
        return len(list(iter(self)))


@dataclass(frozen=True, eq=False)
class SampleFigures(Mapping[str, Image8]):
    """Pictures by name: of samples drawn each time they are read, those that can be drawn; others as they are."""

    of: Mapping[str, SamplePictures | Image8]

    def __getitem__(self, name: str) -> Image8:
        found = self.of[name]
        return found["map"] if isinstance(found, SamplePictures) else found

    def __iter__(self) -> Iterator[str]:
        return (name for name, found in self.of.items() if len(found))

    def __len__(self) -> int:
        return len(list(iter(self)))


def drawn_in(pictures: Mapping[str, Image8], palette: Palette) -> Mapping[str, Image8]:
    """The same pictures, those of samples in another palette; on white where that has no page."""
    page = WHITE if palette.page is None else palette
    if isinstance(pictures, SamplePictures):
        return replace(pictures, palette=page)
    if isinstance(pictures, SampleFigures):
        own = {
            n: replace(one, palette=page) if isinstance(one, SamplePictures) else one for n, one in pictures.of.items()
        }
        return SampleFigures(own)
    return pictures


def _plane(array: NDArray[Any]) -> NDArray[Any]:
    """Without axes of one; of three axes the shortest is left out, by its largest number in size."""
    found = array.squeeze()
    if found.ndim == 3:
        axis = int(np.argmin(found.shape))
        if found.dtype.kind not in "fiub":
            return found
        largest = np.abs(found.astype(np.float64)).argmax(axis)
        found = np.take_along_axis(found, np.expand_dims(largest, axis), axis).squeeze(axis)
    return found.reshape(1) if not found.ndim else found
