"""The map of rows and columns (a spectrogram, a table in time): the sample in grey beside the map in colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.drawing.page.palette import WHITE, Palette
from onnxray.images.drawing.plot_style import own_style
from onnxray.images.drawing.sample_figure import calm, coloured, pixels_of, sample_figure, scale_below
from onnxray.images.drawing.text import NO_MARKUP

_TALLEST = 4.5


@own_style()
def draw_planes(
    sample: NDArray[Any], heat: NDArray[np.float32], span: float, *, signed: bool, colormap: str, title: str,
    upright: bool, shown: str, palette: Palette = WHITE,
) -> Image8:  # fmt: skip
    """(rows, columns) numbers, the first row at the bottom as spectrograms have it; upright: at the top.

    shown: what the colours are. uint8 RGB, CHW.
    """
    origin = "upper" if upright else "lower"
    rows, columns = heat.shape
    high = float(np.clip(3.4 * rows / columns, 1.1, _TALLEST))
    figure = sample_figure(title, (7.4, high + 0.9), palette)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    if sample.shape == heat.shape:
        panels[0].imshow(sample.astype(np.float64), aspect="auto", origin=origin, cmap="gray", interpolation="nearest")
    image = coloured(heat, span, signed=signed, colormap=colormap)
    panels[1].imshow(image, aspect="auto", origin=origin, interpolation="nearest")
    for ax, name in zip(panels, ("the sample", shown)):
        ax.set_title(name, loc="left", fontsize=8, color=palette.soft_ink, **NO_MARKUP)
        calm(ax, palette)
    scale_below(panels[1], span, signed=signed, colormap=colormap, palette=palette, high=high)
    return pixels_of(figure, palette)
