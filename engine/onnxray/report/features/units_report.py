"""The picture of a layer's channels: how active, how often zero, how selective, and how alike they are.

matplotlib is imported when a plot is drawn, and used through its objects: no pyplot, no window, no global state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onnxray.images.drawing.page.palette import WHITE, Palette, palette_of
from onnxray.images.drawing.plot_style import legible, own_style, png_of, title_lines
from onnxray.images.drawing.text import NO_MARKUP
from onnxray.methods.features.units_item import UnitsItem
from onnxray.report.pages import model_name
from onnxray.results.result import Result

_MOST, _PANELS = 12, 4


def pictures(result: Result[UnitsItem]) -> dict[str, bytes]:
    """File name -> PNG: ``units.png``, a row of panels a layer."""
    if not result.items:
        return {}
    title = result.provenance.title or f"Channels of {model_name(result.provenance)}"
    return {
        "units.png": units_plot(result.items[:_MOST], title=title, palette=palette_of(result.provenance.background))
    }


@own_style()
def units_plot(items: Sequence[UnitsItem], *, title: str, palette: Palette = WHITE) -> bytes:
    """For each layer: the channels' means in order, their shares of zeros, their selectivity, and all correlations."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.0, 0.9 + 2.9 * len(items)), dpi=120)
    figure.set_layout_engine("constrained")
    rows = figure.subplots(len(items), _PANELS, squeeze=False)
    for panels, item in zip(rows, items):
        _layer(panels, item, palette)
    ink = palette.ink
    figure.suptitle(title_lines(title, 100), x=0.012, ha="left", fontsize=12, weight="bold", color=ink, **NO_MARKUP)
    return png_of(figure, palette=palette)


def _layer(panels: Any, item: UnitsItem, palette: Palette) -> None:
    means = np.array([one["mean"] for one in item.channels])
    order = np.argsort(-means, kind="stable")
    first, zeros, selective, alike = panels
    first.plot(means[order], color=palette.blue, linewidth=1.4)
    _named(first, palette, "channels, the most active first", "mean")
    name, count = legible(item.layer, 40), len(item.channels)
    said = f"{name}: {count} channels, {item.dead} dead, {item.pictures_seen} pictures"
    first.set_title(said, loc="left", fontsize=8.5, color=palette.ink, **NO_MARKUP)
    bins = np.linspace(0, 1, 21)
    zeros.hist([one["zeros"] for one in item.channels], bins=bins, color=palette.blue)
    _named(zeros, palette, "share of zeros", "channels")
    known = [one["selectivity"] for one in item.channels if one["selectivity"] is not None]
    if known:
        selective.hist(known, bins=bins, color=palette.vermilion)
    else:
        reason = next((one["reason"] for one in item.channels if one["reason"]), "not known")
        text = title_lines(reason, 32)
        selective.text(
            0.5, 0.5, text, transform=selective.transAxes, ha="center", fontsize=8, color=palette.soft_ink, **NO_MARKUP
        )
    by = {"labels": "labels", "predictions": "predicted classes"}.get(str(item.labelled_by), "classes")
    _named(selective, palette, f"selectivity, {item.classes} {by}", "channels")
    shown = item.correlations[np.ix_(order, order)]
    alike.imshow(shown, vmin=-1, vmax=1, cmap="RdBu_r", interpolation="nearest" if len(order) < 200 else "antialiased")
    _named(alike, palette, "correlation, blue -1 to red 1", "")
    alike.set_xticks([])
    alike.set_yticks([])


def _named(panel: Any, palette: Palette, across: str, up: str) -> None:
    panel.set_xlabel(across, fontsize=8, color=palette.ink, **NO_MARKUP)
    panel.set_ylabel(up, fontsize=8, color=palette.ink, **NO_MARKUP)
    panel.tick_params(length=0, labelsize=7, labelcolor=palette.soft_ink)
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color(palette.soft_ink)
