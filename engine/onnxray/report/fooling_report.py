"""The pictures of a run that fools: what came of each class, and how evolution got on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.images.drawing.page.palette import palette_of
from onnxray.images.drawing.plot_style import own_style, png_of
from onnxray.images.drawing.text import NO_MARKUP, clean_text
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.report.pages import drawn_pages, model_name
from onnxray.report.synthesis_report import trace_plot
from onnxray.results.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELLS = 200


def sheets(result: Result[SynthesisItem]) -> dict[str, bytes]:
    """``sheet.png`` and further pages; of gradients ``trace.png``, of evolution ``curve.png``."""
    method = result.provenance.method
    runs: dict[int, list[SynthesisItem]] = {}
    for item in result.items[:_CELLS]:
        runs.setdefault(item.numbers_.get("run", 0), []).append(item)
    rows = [
        Row(f"run {run}" if len(runs) > 1 else "", tuple(_cell(item) for item in items)) for run, items in runs.items()
    ]
    left = len(result.items) - _CELLS
    reached = sum(bool(item.numbers_["success"]) for item in result.items)
    subtitle = (
        f"{reached} of {len(result.items)} reach {method['options']['confidence']:g}, by ONNX Runtime on the saved "
        "8-bit pictures"
    )
    found = drawn_pages(
        rows, title=f"{method['name']} on {model_name(result.provenance)}", subtitle=[subtitle],
        provenance=result.provenance, footer=[f"{left} more in index.html"] if left > 0 else [],
    )  # fmt: skip
    if any(item.trace for item in result.items):
        found["trace.png"] = trace_plot(result)
    if result.extra.get("evolution"):
        found["curve.png"] = curve_plot(result)
    return found


def _cell(item: SynthesisItem) -> Cell:
    numbers = item.numbers_
    when = f"generation {numbers['generation']}" if "generation" in numbers else f"{item.steps} steps"
    lines = [f"{numbers['confidence']:.4f}, {when}"]
    if not numbers["success"]:
        lines.append(f"not reached; class {item.label}")
    return Cell(item.images["image"], (item.target, *lines))


@own_style()
def curve_plot(result: Result[SynthesisItem]) -> bytes:
    """``curve_figure`` as PNG bytes."""
    return png_of(curve_figure(result), palette=palette_of(result.provenance.background))


def curve_figure(result: Result[SynthesisItem]) -> Figure:
    """Above the median confidence over the classes, below how many classes have enough, by generation; a line a run."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    palette, told = palette_of(result.provenance.background), result.extra["evolution"]
    figure = Figure(figsize=(9, 5.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    for place, run in enumerate(told):
        colour = palette.lines[place % len(palette.lines)]
        generations = range(len(run["median_confidence"]))
        above.plot(generations, run["median_confidence"], linewidth=1.4, color=colour)
        below.step(generations, run["reached"], where="post", linewidth=1.4, color=colour)
    above.set_ylim(-0.02, 1.02)
    below.set_ylim(0, 1.04 * max(run["classes"] for run in told))
    least = result.provenance.method["options"]["confidence"]
    words = ("median confidence", f"classes with {least:g}")
    for panel, text in zip((above, below), words):
        panel.set_ylabel(text, color=palette.ink, **NO_MARKUP)
        panel.grid(color=palette.grid)
        panel.tick_params(colors=palette.soft_ink)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            panel.spines[side].set_color(palette.soft_ink)
    below.set_xlabel("generation", color=palette.ink)
    below.yaxis.get_major_locator().set_params(integer=True)
    below.xaxis.get_major_locator().set_params(integer=True)
    options = result.provenance.method["options"]
    title = f"{options['encoding']} encoding, {options['population']} pictures a generation"
    title += f", {len(told)} runs" if len(told) > 1 else ""
    figure.suptitle(clean_text(f"{result.provenance.method['name']}: {title}"), color=palette.ink, **NO_MARKUP)
    return figure
