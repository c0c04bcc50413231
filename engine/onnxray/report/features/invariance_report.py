"""The pictures of an invariance run: the curves, the table of variance shares, and a picture at every level.

matplotlib is imported when a plot is drawn, and used through its objects: no pyplot, no window, no global state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.images.drawing.page.palette import WHITE, Palette, palette_of
from onnxray.images.drawing.plot_style import legible, own_style, png_of, title_lines
from onnxray.images.drawing.text import NO_MARKUP
from onnxray.methods.features.invariance_item import InvarianceItem
from onnxray.report.pages import drawn_pages, model_name
from onnxray.report.parts.curves import thin_frame
from onnxray.results.result import Result

_COLUMNS, _MOST = 5, 7
_SHARES = ("factor", "picture", "interaction")


def pictures(result: Result[InvarianceItem]) -> dict[str, bytes]:
    """``invariance.png`` (curves), ``shares.png`` (the table), and ``sheet.png``: the first picture at every level."""
    items = [item for item in result.items if item.levels]
    if not items:
        return {}
    title = result.provenance.title or f"What layers of {model_name(result.provenance)} ignore"
    palette = palette_of(result.provenance.background)
    found = {
        "invariance.png": curves(items, title=title, palette=palette),
        "shares.png": shares(items, title=title, palette=palette),
    }
    rows = [
        Row(f"{item.factor}: {', '.join(f'{level:g}' for level in item.levels)} {item.unit}", (Cell(_parts(item)),))
        for item in items if "levels" in item.images
    ]  # fmt: skip
    if rows:
        found |= drawn_pages(
            rows, title=title, subtitle=["the first picture at every level"], provenance=result.provenance
        )
    return found


def _parts(item: InvarianceItem) -> tuple[Any, ...]:
    split = np.split(item.images["levels"], len(item.levels), 2)
    return tuple(np.ascontiguousarray(part) for part in split)


@own_style()
def curves(items: Sequence[InvarianceItem], *, title: str, palette: Palette = WHITE) -> bytes:
    """A panel a factor, a line a layer: how far the code moves, 1 being as far as another picture."""
    from matplotlib.figure import Figure

    factors = list(dict.fromkeys(item.factor for item in items))
    layers = list(dict.fromkeys(item.layer for item in items))[:_MOST]
    columns = min(_COLUMNS, len(factors))
    rows = math.ceil(len(factors) / columns)
    figure = Figure(figsize=(2.9 * columns, 1.2 + 2.5 * rows), dpi=120)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for panel, factor in zip(panels, factors):
        for layer, colour in zip(layers, palette.lines):
            item = next((one for one in items if (one.factor, one.layer) == (factor, layer)), None)
            shown = None if item is None else item.moved or item.relative
            if item is not None and shown:
                panel.plot(range(len(shown)), shown, color=colour, linewidth=1.5, marker="o", markersize=3)
        item = next(one for one in items if one.factor == factor)
        panel.set_xticks(range(len(item.levels)), [f"{level:g}" for level in item.levels], fontsize=7)
        panel.set_xlabel(item.unit, fontsize=8, color=palette.ink, **NO_MARKUP)
        panel.set_title(factor, fontsize=9.5, loc="left", color=palette.ink, **NO_MARKUP)
        panel.set_ylim(bottom=0)
        thin_frame(panel, palette, size=7)
    for panel in panels[len(factors) :]:
        panel.set_axis_off()
    handles = [_line(colour) for _, colour in zip(layers, palette.lines)]
    legend = figure.legend(
        handles, [legible(layer, 40) for layer in layers], loc="outside lower left", ncols=4, fontsize=8, frameon=False
    )
    for text in legend.get_texts():
        text.set(color=palette.ink, **NO_MARKUP)
    by = "1 is as far as another picture" if items[0].moved else "as a share of the code's length"
    said = f"{title}: how far codes move ({by}), {items[0].pictures_seen} pictures"
    ink = palette.ink
    figure.suptitle(title_lines(said, 100), x=0.012, ha="left", fontsize=11.5, weight="bold", color=ink, **NO_MARKUP)
    return png_of(figure, palette=palette)


def _line(colour: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linewidth=2)


@own_style()
def shares(items: Sequence[InvarianceItem], *, title: str, palette: Palette = WHITE) -> bytes:
    """The table of variance shares: rows are factors, and for each layer the shares of factor, picture and both."""
    from matplotlib.figure import Figure

    factors = list(dict.fromkeys(item.factor for item in items))
    layers = list(dict.fromkeys(item.layer for item in items))[:_MOST]
    figure = Figure(figsize=(2.2 + 2.6 * len(layers), 1.5 + 0.34 * len(factors)), dpi=120)
    figure.set_layout_engine("constrained")
    ax = figure.subplots()
    grid = np.full((len(factors), len(_SHARES) * len(layers)), np.nan)
    for item in items:
        if item.shares is not None and item.layer in layers:
            first = len(_SHARES) * layers.index(item.layer)
            grid[factors.index(item.factor), first : first + len(_SHARES)] = [item.shares[name] for name in _SHARES]
    ax.imshow(grid, vmin=0, vmax=1, cmap="Blues", aspect="auto", alpha=0.75)
    for row, column in np.ndindex(grid.shape):
        value = grid[row, column]
        text = "-" if np.isnan(value) else f"{value:.1%}"
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color="#101010" if value < 0.7 else "#ffffff")
    ax.set_yticks(range(len(factors)), factors, fontsize=8.5, color=palette.ink)
    ax.set_xticks(range(grid.shape[1]), list(_SHARES) * len(layers), fontsize=7.5, color=palette.soft_ink)
    for k, layer in enumerate(layers):
        at = len(_SHARES) * k + 1
        ax.text(at, -0.75, legible(layer, 28), ha="center", fontsize=9, color=palette.ink, **NO_MARKUP)
        if k:
            ax.axvline(at - 1.5, color=palette.soft_ink, linewidth=1.2)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    said = f"{title}: shares of the variance of the code"
    ink = palette.ink
    figure.suptitle(title_lines(said, 90), x=0.012, ha="left", fontsize=11.5, weight="bold", color=ink, **NO_MARKUP)
    return png_of(figure, palette=palette)
