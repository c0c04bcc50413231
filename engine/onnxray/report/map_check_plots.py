"""Insertion and deletion curves, and rank correlations by layer, as plots.

matplotlib is imported when a plot is drawn, and used through its objects: no pyplot, no window, no global state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onnxray.assess.maps.item import CheckedItem
from onnxray.images.drawing.page.palette import WHITE, Palette
from onnxray.images.drawing.plot_style import legible, own_style, png_of, title_lines
from onnxray.images.drawing.text import NO_MARKUP

_DOTS_PER_INCH, _WIDEST = 144, 40.0
_LONGEST_NAME = 34
_FAINT = 0.35


@own_style()
def curves_plot(items: Sequence[CheckedItem], *, title: str, palette: Palette = WHITE) -> bytes | None:
    """Both curves of every map, faint, and their mean, as a PNG; None where no curves were measured."""
    measured = [item.figures for item in items if "insertion" in item.figures]
    drawn = [found for found in measured if None not in (found["insertion"]["area"], found["deletion"]["area"])]
    if not drawn:
        return None
    figure, axes = _figure(title, (9.0, 4.0), 2, palette)
    for ax, name, colour in zip(axes, ("insertion", "deletion"), (palette.blue, palette.vermilion)):
        for found in drawn:
            fractions, scores = found[name]["fractions"], found[name]["scores"]
            ax.plot(fractions, scores, color=colour, linewidth=0.9, alpha=_FAINT if len(drawn) > 1 else 1.0)
        area = float(np.mean([found[name]["area"] for found in drawn]))
        if len(drawn) > 1:
            grid = np.linspace(0, 1, 201)
            mean = np.mean([np.interp(grid, found[name]["fractions"], found[name]["scores"]) for found in drawn], 0)
            ax.plot(grid, mean, color=colour, linewidth=2.4)
        said = f"{name}: area {area:.3f}" + (f", mean of {len(drawn)}" if len(drawn) > 1 else "")
        ax.set_title(said, loc="left", fontsize=10, color=palette.ink, **NO_MARKUP)
        verb = "inserted" if name == "insertion" else "deleted"
        ax.set_xlabel(f"share of the pixels {verb}", fontsize=9, color=palette.ink, **NO_MARKUP)
        ax.set_xlim(0, 1)
    names = {found["measured"].partition(" of ")[0] for found in drawn}
    said = legible(names.pop(), _LONGEST_NAME) if len(names) == 1 else "score"
    axes[0].set_ylabel(said, fontsize=9, color=palette.ink, **NO_MARKUP)
    if all(0 <= score <= 1 for found in drawn for name in ("insertion", "deletion") for score in found[name]["scores"]):
        axes[0].set_ylim(-0.02, 1.02)
    return png_of(figure, palette=palette)


@own_style()
def weights_plot(items: Sequence[CheckedItem], *, title: str, order: str, palette: Palette = WHITE) -> bytes | None:
    """The rank correlation with the untouched network's map, layer by layer, as a PNG; None where it was not asked for.

    A point is a map, the line joins the medians. ``order``: cascade or independent, for the axis.
    """
    drawn: list[Sequence[Mapping[str, Any]]] = [item.figures["weights"] for item in items if "weights" in item.figures]
    if not drawn:
        return None
    layers = [entry["layer"] for entry in drawn[0]]
    values = [[found[k]["correlation"] for found in drawn] for k in range(len(layers))]
    names = [legible(layer, _LONGEST_NAME) for layer in layers]
    longest = max(len(name) for name in names)
    size = (min(_WIDEST, max(6.0, 1.5 + 0.55 * len(layers))), 3.6 + 0.055 * longest)
    figure, (ax,) = _figure(title, size, 1, palette)
    ax.axhline(0.0, color=palette.soft_ink, linewidth=0.8)
    medians = []
    for x, column in enumerate(values):
        known = [value for value in column if value is not None]
        ax.plot(
            [x] * len(known), known, linestyle="none", marker="o", markersize=4, markeredgewidth=0, color=palette.green,
            alpha=_FAINT if len(drawn) > 1 else 0.9,
        )  # fmt: skip
        medians.append(float(np.median(known)) if known else np.nan)
    ax.plot(range(len(layers)), medians, color=palette.green, linewidth=2.0)
    lowest = min((value for column in values for value in column if value is not None), default=0.0)
    ax.set_ylim(min(-0.05, lowest - 0.05), 1.02)
    ax.set_xlim(-0.5, len(layers) - 0.5)
    ax.set_ylabel("rank correlation with\nthe trained network's map", fontsize=9, color=palette.ink, **NO_MARKUP)
    ax.set_xticks(
        range(len(names)), names, fontsize=8, color=palette.ink, rotation=45, ha="right", rotation_mode="anchor",
        **NO_MARKUP,
    )  # fmt: skip
    which = "from the output down to" if order == "cascade" else "of this layer alone:"
    ax.set_xlabel(f"weights drawn anew {which}", fontsize=9, color=palette.ink, **NO_MARKUP)
    lost = sum(value is None for column in values for value in column)
    key = "dot: one map   line: median" + (f"   {lost} could not be compared, see result.json" if lost else "")
    ax.set_title(key, loc="left", fontsize=8, color=palette.soft_ink, **NO_MARKUP)
    return png_of(figure, palette=palette)


def _figure(title: str, size: tuple[float, float], columns: int, palette: Palette) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=_DOTS_PER_INCH)
    figure.set_layout_engine("constrained")
    said, ink = title_lines(title, int(9 * size[0])), palette.ink
    figure.suptitle(said, x=0.012, ha="left", fontsize=12, weight="bold", color=ink, **NO_MARKUP)
    axes = figure.subplots(1, columns, sharey=True, squeeze=False)[0]
    for ax in axes:
        ax.grid(axis="y", color=palette.grid, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.tick_params(length=0, labelsize=8, labelcolor=palette.soft_ink)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.spines["bottom"].set_color(palette.soft_ink)
    return figure, axes
