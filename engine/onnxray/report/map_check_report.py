"""The pictures of a check and of a comparison: maps with their figures under them, and the plots."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from onnxray.assess.maps.item import CheckedItem
from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.images.drawing.page.palette import palette_of
from onnxray.report.map_check_plots import curves_plot, weights_plot
from onnxray.report.pages import MOST_ROWS, drawn_pages, model_name, more_rows
from onnxray.report.parts.said import typed_names
from onnxray.report.parts.seen_part import seen_cells, seen_warnings
from onnxray.report.saliency_report import image_cell, scale_bar, target_line
from onnxray.results.result import Result


def check_pictures(result: Result[CheckedItem]) -> dict[str, bytes]:
    """File name -> PNG: the sheet, ``curves.png`` and ``weights.png``, as far as there is something to draw."""
    options = result.provenance.method["options"]
    model, palette = model_name(result.provenance), palette_of(result.provenance.background)
    plots = {
        "curves.png": curves_plot(result.items, title=f"{options['method']} on {model}", palette=palette),
        "weights.png": weights_plot(
            result.items, title=f"{options['method']} on {model}, weights drawn anew", order=options["weights"],
            palette=palette,
        ),
    }  # fmt: skip
    drawn = {name: data for name, data in plots.items() if data is not None}
    return {**_sheets(result, f"Check of {options['method']} on {model}"), **drawn}


def comparison_pictures(result: Result[CheckedItem]) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png`` and further pages, a row an image, a column a method."""
    return _sheets(result, f"Saliency methods on {model_name(result.provenance)}")


def figure_lines(item: CheckedItem) -> list[str]:
    """What stands under a map."""
    figures = item.figures
    lines = []
    if "insertion" in figures:
        areas = [figures[name]["area"] for name in ("insertion", "deletion")]
        lines.append("  ".join(f"{n} -" if a is None else f"{n} {a:.3f}" for n, a in zip(("ins", "del"), areas)))
    if "pointed_at" in figures:
        lines.append("peak on the box" if figures["pointed_at"] else "peak off the box")
    noise = figures.get("noise")
    if noise and noise["mean"] is not None:
        lines.append(f"noise: {noise['mean']:.2f} (most {noise['max']:.2f})")
    weights = [entry["correlation"] for entry in figures.get("weights", ())]
    if weights and weights[-1] is not None:
        lines.append(f"all weights anew: {weights[-1]:.2f}")
    if item.map.reason:
        lines.append(item.map.reason)
    return lines


def _sheets(result: Result[CheckedItem], title: str) -> dict[str, bytes]:
    groups: dict[str, list[CheckedItem]] = {}
    for item in result.items:
        if "image" in item.map.images:
            groups.setdefault(item.map.stem, []).append(item)
    if not groups:
        return {}
    refused = result.extra.get("refused", [])
    methods = list(result.provenance.method["options"].get("methods", {}))
    shown, stamp = list(groups.values())[:MOST_ROWS], result.provenance
    seen = seen_cells((group[0].map.path for group in shown), stamp.profile)
    names = typed_names(stamp, (item.map.layer for item in result.items))
    times = _times(result.items)
    rows = [_row(group, methods, names, times, seen.get(group[0].map.path or "")) for group in shown]
    legend = []
    if any("insertion" in item.figures for item in result.items):
        legend = ["ins: area under the insertion curve (large is good); del: under the deletion curve (small is good)"]
    said = dict.fromkeys(f"{entry['method']}: {entry['reason']}" for entry in refused)
    return drawn_pages(
        rows, title=title, subtitle=legend, provenance=stamp, footer=[*said, *more_rows(len(groups), "images")],
        warnings=seen_warnings(seen, stamp.profile),
    )  # fmt: skip


def _times(items: Sequence[CheckedItem]) -> dict[str, str]:
    """Method -> what a map of it takes, the median of all images."""
    seconds = dict[str, list[float]]()
    for item in items:
        if "seconds" in item.figures:
            seconds.setdefault(item.map.method, []).append(item.figures["seconds"])
    taken = {method: statistics.median(each) for method, each in seconds.items()}
    return {method: f"{one:.1f} s" if one >= 1 else f"{1000 * one:.0f} ms" for method, one in taken.items()}


def _row(
    group: Sequence[CheckedItem], methods: Sequence[str], names: Mapping[str, str], times: Mapping[str, str],
    seen: Cell | None,
) -> Row:  # fmt: skip
    cells = [*([] if seen is None else [seen]), image_cell(group[0].map)]
    for method in methods or [group[0].map.method]:
        own = [item for item in group if item.map.method == method]
        time = [times[method]] if method in times else []
        for item in own:
            layer = item.map.layer
            heading = (method, *time, *([f"at {names.get(layer, layer)}"] if layer else []))
            picture = item.map.images["overlay"]
            cells.append(Cell(picture, tuple(figure_lines(item)), scale_bar(item.map), heading=heading))
        if not own:
            cells.append(Cell(None, ("refused, see below",), heading=(method, *time)))
    return Row(target_line(group[0].map), tuple(cells))
