"""A figure of a sample's map: its title, its colour scale, and its pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxray.arrays import Image8
from onnxray.images.drawing.heat_map import colour_bar, draw_map
from onnxray.images.drawing.page.palette import Palette
from onnxray.images.drawing.plot_style import png_of, title_lines
from onnxray.images.drawing.text import NO_MARKUP

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS_PER_INCH = 120


def sample_figure(title: str, size: tuple[float, float], palette: Palette) -> Figure:
    """An empty figure of so many inches, its title at the left."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=_DOTS_PER_INCH)
    figure.set_layout_engine("constrained")
    if title:
        said = title_lines(title, int(10 * size[0]))
        figure.suptitle(said, x=0.012, ha="left", fontsize=9, color=palette.ink, **NO_MARKUP)
    return figure


def calm(ax: Any, palette: Palette) -> None:
    """Without a frame, its numbers small and soft."""
    ax.tick_params(length=0, labelsize=7, labelcolor=palette.soft_ink)
    ax.spines[:].set_visible(False)


def scale_below(ax: Any, span: float, *, signed: bool, colormap: str, palette: Palette, high: float) -> None:
    """The colour scale of a map, thin, under the numbers of ``ax``, which is ``high`` inches high, about."""
    colours = colour_bar(signed=signed, colormap=colormap).transpose(1, 2, 0)
    low = -span if signed else 0.0
    inset = ax.inset_axes((0.0, -0.34 / high, 0.35, 0.07 / high), transform=ax.transAxes)
    inset.imshow(colours, aspect="auto", extent=(low, span, 0, 1))
    inset.set_yticks([])
    inset.set_xticks([low, span], [f"{low:.3g}", f"{span:.3g}"], **NO_MARKUP)
    calm(inset, palette)


def coloured(heat: NDArray[np.float32], span: float, *, signed: bool, colormap: str) -> NDArray[np.uint8]:
    """(height, width) -> (height, width, 3), in the colours of maps."""
    return np.ascontiguousarray(draw_map(heat, span, signed=signed, colormap=colormap).transpose(1, 2, 0))


def pixels_of(figure: Figure, palette: Palette) -> Image8:
    """The figure as uint8 RGB, CHW."""
    with Image.open(io.BytesIO(png_of(figure, palette=palette))) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))
