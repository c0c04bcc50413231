"""The picture of a TCAV run: a bar for each concept at each layer, beside what random pictures give.

matplotlib is imported when a plot is drawn, and used through its objects: no pyplot, no window, no global state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnxray.images.drawing.page.palette import WHITE, Palette, palette_of
from onnxray.images.drawing.plot_style import legible, own_style, png_of, title_lines
from onnxray.images.drawing.text import NO_MARKUP
from onnxray.methods.concepts.item import ConceptItem
from onnxray.report.pages import model_name
from onnxray.results.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS_PER_INCH = 144
_MOST, _LONGEST = 60, 40
_RANDOM = "#a8a8a8"


def pictures(result: Result[ConceptItem]) -> dict[str, bytes]:
    """File name -> PNG: ``concepts.png``."""
    if not result.items:
        return {}
    title = result.provenance.title or f"TCAV on {model_name(result.provenance)}"
    palette = palette_of(result.provenance.background)
    return {"concepts.png": concepts_plot(result.items, title=title, palette=palette)}


@own_style()
def concepts_plot(items: list[ConceptItem] | tuple[ConceptItem, ...], *, title: str, palette: Palette = WHITE) -> bytes:
    """Scores as bars, their standard deviation over the trials as a line; not significant: pale; a WARN: hatched."""
    return png_of(_figure(items[:_MOST], title, len(items) - _MOST, palette), palette=palette)


def _figure(items: list[ConceptItem] | tuple[ConceptItem, ...], title: str, more: int, palette: Palette) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 1.6 + 0.55 * len(items)), dpi=_DOTS_PER_INCH)
    figure.set_layout_engine("constrained")
    ax = figure.subplots()
    for place, item in enumerate(items):
        style: dict[str, Any] = {"color": palette.blue, "alpha": 1.0 if item.significant else 0.35}
        if item.reason:
            style = {"color": "none", "edgecolor": palette.blue, "hatch": "////"}
        ax.barh(place - 0.17, item.score, 0.32, **style)
        ax.barh(place + 0.17, item.random_score, 0.2, color=_RANDOM)
        for where, mean, spread in (
            (place - 0.17, item.score, item.spread), (place + 0.17, item.random_score, item.random_spread),
        ):  # fmt: skip
            ax.plot([max(0, mean - spread), min(1, mean + spread)], [where, where], color=palette.ink, linewidth=1.2)
        p = "p -" if item.p_value is None else f"p {item.p_value:.2g}"
        said = f"{p}, told apart {item.accuracy:.0%}"
        ax.text(1.02, place, said, fontsize=8, color=palette.ink, va="center", **NO_MARKUP)
    names = [f"{legible(item.concept, _LONGEST)}\n{legible(item.layer, _LONGEST)}" for item in items]
    ax.set_yticks(range(len(items)), names, fontsize=8, color=palette.ink, **NO_MARKUP)
    ax.set_ylim(len(items) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.axvline(0.5, color=palette.soft_ink, linewidth=0.8, linestyle=":")
    ax.grid(axis="x", color=palette.grid, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelsize=8, labelcolor=palette.ink)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(palette.soft_ink)
    said = f"share of {items[0].images} images whose {legible(items[0].target, 60)} rises along the concept"
    said += f"; {more} more in result.json" if more > 0 else ""
    ax.set_xlabel(said, fontsize=9, color=palette.ink, **NO_MARKUP)
    ink = palette.ink
    figure.suptitle(title_lines(title, 72), x=0.012, ha="left", fontsize=12, weight="bold", color=ink, **NO_MARKUP)
    key = "blue: concept (pale: not significant; hatched: not told from random)   grey: random against random"
    ax.set_title(f"{key}   line: ± one deviation", loc="left", fontsize=7.5, color=palette.soft_ink, **NO_MARKUP)
    return figure
