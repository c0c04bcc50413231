"""Axes of curves: thin lines behind, two sides of a frame, no ticks, words in the palette's ink."""

from __future__ import annotations

from typing import Any

from onnxray.images.drawing.page.palette import Palette
from onnxray.images.drawing.text import NO_MARKUP


def thin_frame(ax: Any, palette: Palette, *, size: float = 8, axis: str = "both") -> None:
    """The left and lower side alone, numbers without ticks, lines across."""
    ax.grid(axis=axis, color=palette.grid, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelsize=size, labelcolor=palette.soft_ink)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(palette.soft_ink)


def share_axes(ax: Any, palette: Palette, across: str, up: str, *, legend: str = "best") -> None:
    """Axes of shares from 0 to 1, with a legend."""
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel(across, fontsize=9, color=palette.ink, **NO_MARKUP)
    ax.set_ylabel(up, fontsize=9, color=palette.ink, **NO_MARKUP)
    thin_frame(ax, palette)
    for text in ax.legend(fontsize=8, frameon=False, loc=legend).get_texts():
        text.set(color=palette.ink, **NO_MARKUP)
