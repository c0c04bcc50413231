"""The pictures of a check and of a comparison: maps with their figures under them, and the plots."""

from __future__ import annotations

from collections.abc import Sequence

from onnxray.assess.maps.item import CheckedItem
from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.report.map_check_plots import curves_plot, weights_plot
from onnxray.report.pages import drawn_pages, model_name
from onnxray.report.saliency_report import image_cell, scale_bar, target_line
from onnxray.results.result import Result

_ROWS = 40


def check_pictures(result: Result[CheckedItem]) -> dict[str, bytes]:
    """File name -> PNG: the sheet, ``curves.png`` and ``weights.png``, as far as there is something to draw."""
    options = result.provenance.method["options"]
    model = model_name(result.provenance)
    plots = {
        "curves.png": curves_plot(result.items, title=f"{options['method']} on {model}"),
        "weights.png": weights_plot(
            result.items, title=f"{options['method']} on {model}, weights drawn anew", order=options["weights"]
        ),
    }
    drawn = {name: data for name, data in plots.items() if data is not None}
    return {**_sheets(result, f"Check of {options['method']} on {model}"), **drawn}


def comparison_pictures(result: Result[CheckedItem]) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png`` and further pages, a row an image, a column a method."""
    return _sheets(result, f"Saliency methods on {model_name(result.provenance)}")


def figure_lines(item: CheckedItem) -> list[str]:
    """What stands under a map."""
    figures = item.figures
    lines = [f"at {item.map.layer}"] if item.map.layer else []
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
    if "seconds" in figures:
        seconds = figures["seconds"]
        lines.append(f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms")
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
    rows = [_row(group, methods) for group in list(groups.values())[:_ROWS]]
    legend = ["ins: area under the insertion curve (large is good); del: under the deletion curve (small is good)"]
    if any("seconds" in item.figures for item in result.items):
        legend.append("seconds: a method's first image includes what it prepares of the network")
    said = dict.fromkeys(f"{entry['method']}: {entry['reason']}" for entry in refused)
    more = [f"{len(groups) - _ROWS} more images in result.json"] if len(groups) > _ROWS else []
    return drawn_pages(rows, title=title, subtitle=legend, provenance=result.provenance, footer=[*said, *more])


def _row(group: Sequence[CheckedItem], methods: Sequence[str]) -> Row:
    cells = [image_cell(group[0].map)]
    for method in methods or [group[0].map.method]:
        own = [item for item in group if item.map.method == method]
        cells += [Cell(item.map.images["overlay"], (method, *figure_lines(item)), scale_bar(item.map)) for item in own]
        if not own:
            cells.append(Cell(None, (method, "refused, see below")))
    return Row(target_line(group[0].map), tuple(cells))
