"""The picture of two models' layers beside each other: the matrix of CKA, and the measures layer by layer.

matplotlib is imported when a plot is drawn, and used through its objects: no pyplot, no window, no global state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onnxray.assess.models.similarity_item import SimilarityItem
from onnxray.images.drawing.page.palette import WHITE, Palette, palette_of
from onnxray.images.drawing.plot_style import legible, own_style, png_of, title_lines
from onnxray.images.drawing.text import NO_MARKUP
from onnxray.report.pages import model_name
from onnxray.report.parts.curves import thin_frame
from onnxray.results.result import Result

_NAME, _NUMBERED = 22, 14
"""Letters of a layer's name; layers up to which every cell says its number."""


def pictures(result: Result[SimilarityItem]) -> dict[str, bytes]:
    """File name -> PNG: ``similarity.png``."""
    if not result.items:
        return {}
    title = result.provenance.title or f"Layers of {model_name(result.provenance)} beside those of another model"
    palette = palette_of(result.provenance.background)
    return {"similarity.png": similarity_plot(result.items, result.extra, title=title, palette=palette)}


@own_style()
def similarity_plot(
    items: Sequence[SimilarityItem], extra: Mapping[str, Any], *, title: str, palette: Palette = WHITE
) -> bytes:
    """On the left the matrix of CKA, on the right the measures of each layer beside its counterpart."""
    from matplotlib.figure import Figure

    rows, columns = extra.get("layers", ()), extra.get("other_layers", ())
    side = 1.6 + 0.3 * max(len(rows), len(columns), len(items), 5)
    figure = Figure(figsize=(2 * side + 4.2, side + 1.6), dpi=120)
    figure.set_layout_engine("constrained")
    left, right = figure.subplots(1, 2)
    _matrix(left, extra.get("cka"), rows, columns, palette)
    _measures(right, items, extra.get("parts_at"), palette)
    seen = f"{items[0].pictures_seen} pictures"
    agreed = extra.get("agreement")
    if agreed is not None:
        seen = f"{seen}, the same class for {agreed['share']:.1%} of them"
    maps = extra.get("saliency")
    if maps is not None and maps["rank_correlation"] is not None:
        seen = f"{seen}, rank correlation of maps {maps['rank_correlation']['mean']:.2f}"
    ink = palette.ink
    said = title_lines(f"{title}: {seen}", int(14 * (side + 2)))
    figure.suptitle(said, x=0.012, ha="left", fontsize=11.5, weight="bold", color=ink, **NO_MARKUP)
    return png_of(figure, palette=palette)


def _matrix(ax: Any, matrix: Any, rows: Sequence[str], columns: Sequence[str], palette: Palette) -> None:
    ax.set_title("CKA of all layers", loc="left", fontsize=9.5, color=palette.ink)
    if matrix is None:
        ax.text(0.5, 0.5, "too few pictures", ha="center", transform=ax.transAxes, fontsize=9, color=palette.soft_ink)
        ax.set_axis_off()
        return
    grid = np.array([[np.nan if value is None else value for value in row] for row in matrix])
    shown = ax.imshow(grid, vmin=0, vmax=1, cmap="viridis", interpolation="nearest")
    if max(grid.shape) <= _NUMBERED:
        for i, j in np.ndindex(grid.shape):
            text = "-" if np.isnan(grid[i, j]) else f"{grid[i, j]:.2f}"
            ink = "#101010" if grid[i, j] > 0.6 else "#ffffff" if np.isfinite(grid[i, j]) else palette.ink
            ax.text(j, i, text, ha="center", va="center", fontsize=7, color=ink)
    ink = palette.ink
    ax.set_yticks(range(len(rows)), [legible(name, _NAME) for name in rows], fontsize=7.5, color=ink, **NO_MARKUP)
    ax.set_xticks(
        range(len(columns)), [legible(name, _NAME) for name in columns], fontsize=7.5, color=ink, rotation=60,
        ha="right", rotation_mode="anchor", **NO_MARKUP,
    )  # fmt: skip
    ax.set_ylabel("first model", fontsize=8.5, color=palette.ink)
    ax.set_xlabel("other model", fontsize=8.5, color=palette.ink)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    bar = ax.figure.colorbar(shown, ax=ax, shrink=0.8, pad=0.02)
    bar.ax.tick_params(length=0, labelsize=7, labelcolor=palette.soft_ink)
    bar.outline.set_visible(False)


def _measures(ax: Any, items: Sequence[SimilarityItem], parts_at: str | None, palette: Palette) -> None:
    across = range(len(items))
    for name, values, colour in (
        ("CKA", [item.cka for item in items], palette.blue),
        ("Procrustes", [item.procrustes for item in items], palette.green),
        ("mutual neighbours", [item.mutual_neighbors for item in items], palette.vermilion),
    ):
        known = [np.nan if value is None else value for value in values]
        ax.plot(across, known, color=colour, linewidth=1.6, marker="o", markersize=4, label=name)
    place = next((k for k, item in enumerate(items) if item.layer == parts_at), None)
    if place is not None:
        ax.axvline(place, color=palette.soft_ink, linewidth=1.2, linestyle="--")
        ax.text(place, 1.02, "they part", ha="center", fontsize=8, color=palette.soft_ink)
    thin_frame(ax, palette, size=7.5, axis="y")
    ax.set_xticks(
        across, [legible(item.layer, _NAME) for item in items], fontsize=7.5, color=palette.ink, rotation=60,
        ha="right", rotation_mode="anchor", **NO_MARKUP,
    )  # fmt: skip
    ax.set_ylim(min([0.0, *(item.cka or 0.0 for item in items)]) - 0.02, 1.08)
    ax.set_title("each layer beside its counterpart", loc="left", fontsize=9.5, color=palette.ink, pad=14)
    ax.legend(loc="best", fontsize=8, frameon=False, labelcolor=palette.ink)
