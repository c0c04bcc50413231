"""The pictures of a comparison of models: both maps of each picture with their difference, and errors by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxray.assess.models.item import ModelsItem
from onnxray.images.drawing.contact_sheet import Bar, Cell, Row
from onnxray.images.drawing.heat_map import colour_bar
from onnxray.images.drawing.page.palette import WHITE, Palette, palette_of
from onnxray.images.drawing.plot_style import legible, own_style, png_of, title_lines
from onnxray.images.drawing.text import NO_MARKUP
from onnxray.report.pages import MOST_ROWS, drawn_pages, more_rows
from onnxray.results.result import Result

_DOTS_PER_INCH, _WIDEST, _NARROWEST = 144, 24.0, 7.0
_LONGEST_NAME, _MOST_NAMES = 26, 80
_LEAST = 1e-8
"""What stands for an error of zero, which a logarithm has no place for."""


def pictures(result: Result[ModelsItem]) -> dict[str, bytes]:
    """File name -> PNG: the sheets, and ``layers.png`` where values were compared."""
    stamp, models = result.provenance, result.extra["models"]
    plot = layers_plot(models, result.items, first=_name(stamp.model), palette=palette_of(stamp.background))
    return {**_sheets(result), **({} if plot is None else {"layers.png": plot})}


@own_style()
def layers_plot(
    models: Sequence[Mapping[str, Any]], items: Sequence[ModelsItem], *, first: str, palette: Palette = WHITE
) -> bytes | None:
    """The relative error of every layer, a panel a model: each picture faint, the largest over them bold.

    None where no values were compared.
    """
    drawn = [model for model in models if model["layers"]]
    if not drawn:
        return None
    from matplotlib.figure import Figure

    counts = [len(model["layers"]) for model in drawn]
    named = [count <= _MOST_NAMES for count in counts]
    figure = Figure(
        figsize=(min(_WIDEST, max(_NARROWEST, 1.5 + 0.26 * max(counts))), 0.5 + sum(3.0 + 1.4 * own for own in named)),
        dpi=_DOTS_PER_INCH,
    )
    figure.set_layout_engine("constrained")
    said, ink = title_lines(f"How far the values lie from those of {first}", 90), palette.ink
    figure.suptitle(said, x=0.012, ha="left", fontsize=12, weight="bold", color=ink, **NO_MARKUP)
    for ax, model, own in zip(figure.subplots(len(drawn), 1, squeeze=False)[:, 0], drawn, named):
        its = [item for item in items if item.model == model["model"]]
        _panel(ax, model, its, named=own, palette=palette)
    return png_of(figure, palette=palette)


def _panel(ax: Any, model: Mapping[str, Any], items: Sequence[ModelsItem], *, named: bool, palette: Palette) -> None:
    layers = model["layers"]
    for item in items:
        ax.plot([_drawn(layer.get("relative")) for layer in item.layers], color=palette.blue, linewidth=0.8, alpha=0.35)
    ax.plot(
        [_drawn(layer["relative"]) for layer in layers], color=palette.blue, linewidth=2.0, marker="o", markersize=3
    )
    parts = next((k for k, layer in enumerate(layers) if layer["a"] == model["parts_at"]), None)
    said = "they do not part"
    if parts is not None:
        ax.axvline(parts, color=palette.vermilion, linewidth=1.2)
        said = f"they part at {legible(str(model['parts_at']), 40)}"
    ax.set_yscale("log")
    ax.grid(axis="y", color=palette.grid, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(which="both", length=0, labelsize=8, labelcolor=palette.soft_ink)
    ax.yaxis.set_minor_formatter("")
    ends = [math.log10(error) for error in (_drawn(layer["relative"]) for layer in layers) if not math.isnan(error)]
    if ends:
        ax.set_ylim(10.0 ** (math.floor(min(ends) - 0.3)), 10.0 ** math.ceil(max(ends) + 0.05))
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(palette.soft_ink)
    ax.set_title(
        legible(f"{_name(model)}: {said}   (faint: one picture, bold: the largest)", 110), loc="left", fontsize=9,
        color=palette.ink, **NO_MARKUP,
    )  # fmt: skip
    ax.set_ylabel("relative error\n|a - b| / |a|", fontsize=9, color=palette.ink, **NO_MARKUP)
    ax.set_xlim(-0.5, len(layers) - 0.5)
    if named:
        names = [legible(layer["a"], _LONGEST_NAME) for layer in layers]
        ax.set_xticks(
            range(len(names)),
            names,
            fontsize=7,
            color=palette.ink,
            rotation=50,
            ha="right",
            rotation_mode="anchor",
            **NO_MARKUP,
        )
    else:
        ax.set_xlabel(
            "layers in the order of the first model, by their number in result.json", fontsize=8, color=palette.ink
        )


def _drawn(error: float | None) -> float:
    return math.nan if error is None else max(error, _LEAST)


def _sheets(result: Result[ModelsItem]) -> dict[str, bytes]:
    by_picture: dict[str, list[ModelsItem]] = {}
    for item in result.items:
        if "image" in item.images:
            by_picture.setdefault(item.stem, []).append(item)
    shown = [item for group in by_picture.values() for item in group]
    if not shown:
        return {}
    names = {model["model"]: _name(model) for model in result.extra["models"]}
    first = _name(result.provenance.model)
    rows = [_row(item, first, names[item.model]) for item in shown[:MOST_ROWS]]
    more = more_rows(len(shown), "pairs")
    legend = []
    if any(item.difference is not None for item in result.items):
        legend.append("difference: the second map less the first, each as a share of its own largest number")
    refused = dict.fromkeys(reason for model in result.extra["models"] for reason in model["refused"])
    footer = [*(_summary(model) for model in result.extra["models"]), *refused, *more]
    title = f"{first} beside {', '.join(names.values())}"
    return drawn_pages(rows, title=title, subtitle=legend, provenance=result.provenance, footer=footer)


def _row(item: ModelsItem, first: str, other: str) -> Row:
    pictures = {role: picture for role, (_, picture) in item.pictures().items()}
    cells = [Cell(item.images["image"], tuple(_agreement(item)), heading=("the picture",))]
    for role, name, said in (("map-a", first, item.said[0]), ("map-b", other, item.said[1])):
        if role in pictures:
            cells.append(Cell(pictures[role], tuple(_verdict(said)), heading=(name,)))
        else:
            cells.append(Cell(None, tuple(_verdict(said)), heading=(name,)))
    if "difference" in pictures:
        correlation = "-" if item.rank_correlation is None else f"{item.rank_correlation:.3f}"
        span = f"{item.difference_span:.2g}"
        bar = Bar(colour_bar(signed=True), f"-{span}", span, "of the largest number")
        caption = (f"rank correlation {correlation}",)
        cells.append(Cell(pictures["difference"], caption, bar, heading=("difference",)))
    if item.reason:
        cells.append(Cell(None, ("no maps", item.reason)))
    return Row(f"{Path(item.path).name if item.path else 'image'}: {first} and {other}", tuple(cells))


def _verdict(said: Mapping[str, Any]) -> list[str]:
    if "top" not in said:
        return [str(said["described"])]
    return [f"{entry['label']} {entry['probability']:.3f}" for entry in said["top"][:3]]


def _agreement(item: ModelsItem) -> list[str]:
    found = item.compared
    if found is None:
        return []
    if "agree" not in found:
        return [f"largest difference {found['largest']:.3g}"]
    change = found["largest_change"]
    return [
        "the same class" if found["agree"] else "another class",
        f"{change['label']}: {change['before']:.3f} to {change['after']:.3f}",
    ]


def _summary(model: Mapping[str, Any]) -> str:
    told = [_name(model)]
    agreement = model["agreement"]
    if "share" in agreement:
        told.append(f"the same class on {agreement['agree']} of {agreement['pictures']} pictures")
    if model["rank_correlation"]:
        told.append(f"rank correlation of the maps {model['rank_correlation']['mean']:.3f} in the mean")
    if model["layers"]:
        told.append(f"values part at {model['parts_at']}" if model["parts_at"] else "values do not part")
    return ": ".join([told[0], "; ".join(told[1:])])


def _name(model: Mapping[str, Any]) -> str:
    return Path(str(model["path"] or "model")).name
