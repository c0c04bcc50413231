"""The picture of probes: accuracy layer by layer with intervals, of the linear and the k-nearest probe.

matplotlib is imported when a plot is drawn, and used through its objects: no pyplot, no window, no global state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onnxray.images.drawing.page.palette import WHITE, Palette, palette_of
from onnxray.images.drawing.plot_style import legible, own_style, png_of, title_lines
from onnxray.images.drawing.text import NO_MARKUP
from onnxray.methods.features.probe_item import ProbeItem
from onnxray.report.pages import model_name
from onnxray.report.parts.curves import thin_frame
from onnxray.results.result import Result

_NAME, _MOST = 24, 60


def pictures(result: Result[ProbeItem]) -> dict[str, bytes]:
    """File name -> PNG: ``probe.png``."""
    if not result.items:
        return {}
    title = result.provenance.title or f"Probes of {model_name(result.provenance)}"
    palette = palette_of(result.provenance.background)
    return {"probe.png": probe_plot(result.items[:_MOST], result.extra.get("best"), title=title, palette=palette)}


@own_style()
def probe_plot(items: Sequence[ProbeItem], best: str | None, *, title: str, palette: Palette = WHITE) -> bytes:
    """Layers from left to right; bars are intervals of 95 %, the broken line what guessing reaches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(6.5, 2.6 + 0.55 * len(items)), 4.6), dpi=120)
    figure.set_layout_engine("constrained")
    ax = figure.subplots()
    first = items[0]
    for shift, name, rates, colour in (
        (-0.06, "linear", [item.linear for item in items], palette.blue),
        (0.06, f"{first.k} nearest", [item.nearest for item in items], palette.vermilion),
    ):
        _curve(ax, rates, shift, name, colour)
    ax.plot(
        range(len(items)), [item.chance for item in items], color=palette.soft_ink, linewidth=1.2, linestyle="--",
        label="the most frequent class",
    )  # fmt: skip
    place = next((k for k, item in enumerate(items) if item.layer == best), None)
    if place is not None:
        ax.annotate(
            "best by validation", (place, items[place].linear["share"]), xytext=(-6, -60), textcoords="offset points",
            ha="right" if place > len(items) / 2 else "left", fontsize=8, color=palette.ink,
            arrowprops={"arrowstyle": "-", "color": palette.soft_ink},
        )  # fmt: skip
    ax.set_xticks(
        range(len(items)), [legible(item.layer, _NAME) for item in items], fontsize=8, color=palette.ink, rotation=40,
        ha="right", rotation_mode="anchor", **NO_MARKUP,
    )  # fmt: skip
    ax.set_ylim(0, 1.04)
    ax.set_xlim(-0.5, len(items) - 0.5)
    ax.set_ylabel("right, of those tested", fontsize=8.5, color=palette.ink)
    thin_frame(ax, palette, axis="y")
    ax.legend(bbox_to_anchor=(1, 0.14), loc="lower right", fontsize=8, frameon=False, labelcolor=palette.ink)
    tested = f"{first.tested_on} pictures tested" + (
        f", each by a probe of the other {first.folds - 1} of {first.folds} parts"
        if first.folds
        else f", {first.learned_from} learned from"
    )
    said = f"{title}: {len(first.classes)} classes, {tested}"
    width = int(10 * figure.get_figwidth())
    figure.suptitle(
        title_lines(said, width), x=0.012, ha="left", fontsize=11, weight="bold", color=palette.ink, **NO_MARKUP
    )
    return png_of(figure, palette=palette)


def _curve(ax: Any, rates: Sequence[Mapping[str, Any]], shift: float, name: str, colour: str) -> None:
    across = [place + shift for place in range(len(rates))]
    shares = [rate["share"] for rate in rates]
    ends = [rate["interval"] for rate in rates]
    apart = [
        [share - low for share, (low, _) in zip(shares, ends)],
        [high - share for share, (_, high) in zip(shares, ends)],
    ]
    ax.errorbar(
        across, shares, yerr=[[max(one, 0) for one in side] for side in apart], color=colour, linewidth=1.6, marker="o",
        markersize=4, capsize=3, elinewidth=1.1, label=name,
    )  # fmt: skip
