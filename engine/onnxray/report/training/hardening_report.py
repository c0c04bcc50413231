"""The picture of a hardening: accuracies by epoch, and robust accuracy against the budget before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onnxray.images.drawing.page.palette import Palette, palette_of
from onnxray.images.drawing.plot_style import own_style, png_of, title_lines
from onnxray.images.drawing.text import NO_MARKUP
from onnxray.report.pages import model_name
from onnxray.report.parts.curves import share_axes
from onnxray.results.result import Result
from onnxray.training.item import EpochItem


def pictures(result: Result[EpochItem]) -> dict[str, bytes]:
    """``curve.png``."""
    if not result.items:
        return {}
    title = result.provenance.title or f"Hardening of {model_name(result.provenance)}"
    return {
        "curve.png": _curve(
            result.items, result.extra.get("hardening") or {}, title, palette_of(result.provenance.background)
        )
    }


@own_style()
def _curve(items: Sequence[EpochItem], found: Mapping[str, Any], title: str, palette: Palette) -> bytes:
    from matplotlib.figure import Figure

    sides = [(name, found[name]) for name in ("before", "after") if found.get(name)]
    figure = Figure(figsize=(9.6 if sides else 5.6, 3.9), dpi=144)
    figure.set_layout_engine("constrained")
    axes = figure.subplots(1, 2 if sides else 1, squeeze=False)[0]
    epochs = [item.epoch for item in items]
    for values, colour, label in (
        ([item.clean_accuracy for item in items], palette.blue, "as they are"),
        ([item.robust_accuracy for item in items], palette.vermilion, f"PGD within {items[0].eps:g}"),
    ):
        axes[0].plot(epochs, values, color=colour, linewidth=1.8, marker="o", markersize=3.5, label=label)
    best = [item for item in items if item.best]
    if best:
        axes[0].axvline(best[-1].epoch, color=palette.soft_ink, linewidth=1, linestyle=":", label="written")
    share_axes(axes[0], palette, "epoch", f"accuracy, {items[0].held_out} held-out pictures")
    axes[0].xaxis.get_major_locator().set_params(integer=True)
    for (name, one), colour, dash in zip(sides, (palette.soft_ink, palette.green), ("--", "-")):
        steps = [row["eps"] for row in one["curve"]]
        shares = [row["robust_accuracy"] for row in one["curve"]]
        low, high = ([abs(row["interval"][k] - row["robust_accuracy"]) for row in one["curve"]] for k in (0, 1))
        axes[1].errorbar(
            steps, shares, [low, high], color=colour, linewidth=1.8, linestyle=dash, marker="o", markersize=3.5,
            capsize=2, elinewidth=0.8, label=name,
        )  # fmt: skip
    if sides:
        share_axes(axes[1], palette, "budget, L∞ in grey levels", f"robust accuracy, {sides[0][1]['images']} pictures")
    ink = palette.ink
    figure.suptitle(title_lines(title, 90), x=0.012, ha="left", fontsize=12, weight="bold", color=ink, **NO_MARKUP)
    return png_of(figure, palette=palette)
