"""The map of a series: its curve, and under it a strip in colours, place by place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.drawing.page.palette import WHITE, Palette
from onnxray.images.drawing.plot_style import own_style
from onnxray.images.drawing.sample_figure import calm, coloured, pixels_of, sample_figure, scale_below

_MOST_COLUMNS = 2000


@own_style()
def draw_strip(
    sample: NDArray[Any], heat: NDArray[np.float32], span: float, *, signed: bool, colormap: str, title: str,
    palette: Palette = WHITE,
) -> Image8:  # fmt: skip
    """(T,) numbers along time. Of more than 2000 the strip shows the largest in size of each share. uint8 RGB, CHW."""
    figure = sample_figure(title, (7.0, 2.6), palette)
    curve, strip = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    length = len(heat)
    if sample.shape == heat.shape:
        curve.plot(np.arange(length), sample, color=palette.ink, linewidth=0.7)
    curve.grid(axis="y", color=palette.grid, linewidth=0.8)
    calm(curve, palette)
    image = coloured(_shares(heat)[None], span, signed=signed, colormap=colormap)
    strip.imshow(image, aspect="auto", interpolation="nearest", extent=(-0.5, length - 0.5, 0, 1))
    strip.set_yticks([])
    calm(strip, palette)
    scale_below(strip, span, signed=signed, colormap=colormap, palette=palette, high=0.5)
    return pixels_of(figure, palette)


def _shares(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """At most 2000 numbers: the largest in size of equal shares."""
    if len(heat) <= _MOST_COLUMNS:
        return heat
    parts = np.array_split(heat, _MOST_COLUMNS)
    return np.array([part[np.abs(part).argmax()] for part in parts], np.float32)
