"""The map of a row of a table: a bar a number, warm for the target and blue against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.drawing.page.palette import WHITE, Palette
from onnxray.images.drawing.plot_style import legible, own_style
from onnxray.images.drawing.sample_figure import calm, pixels_of, sample_figure
from onnxray.images.drawing.text import NO_MARKUP

_LONGEST_NAME = 28


@own_style()
def draw_bars(
    names: Sequence[str], heat: NDArray[np.float32], sample: NDArray[Any], *, title: str, palette: Palette = WHITE
) -> Image8:
    """Bars of (K,) numbers under each other; beside each its name and what the sample holds there. uint8 RGB, CHW."""
    count = len(heat)
    figure = sample_figure(title, (5.2, 0.9 + 0.24 * count), palette)
    ax = figure.subplots()
    places = np.arange(count)
    ax.barh(places, heat, height=0.62, color=[palette.vermilion if value > 0 else palette.blue for value in heat])
    ax.axvline(0.0, color=palette.soft_ink, linewidth=0.8)
    held = sample.reshape(-1) if sample.size == count else [None] * count
    texts = [
        legible(names[k] if k < len(names) else f"[{k}]", _LONGEST_NAME)
        + ("" if value is None else f" = {_short(value)}")
        for k, value in enumerate(held)
    ]
    ax.set_yticks(places, texts, **NO_MARKUP)
    ax.set_ylim(count - 0.4, -0.6)
    ax.grid(axis="x", color=palette.grid, linewidth=0.8)
    ax.set_axisbelow(True)
    calm(ax, palette)
    ax.tick_params(axis="y", labelsize=8, labelcolor=palette.ink)
    return pixels_of(figure, palette)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float | np.number) else legible(str(value), 12)
