"""The pictures of a synthesis run: all images on one sheet, and how the objective went."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.images.drawing.page.palette import Palette, palette_of
from onnxray.images.drawing.plot_style import legible, own_style, png_of
from onnxray.images.drawing.text import NO_MARKUP, clean_text
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.report.pages import drawn_pages, model_name
from onnxray.report.parts.numbered_channels import NUMBERING, grey_bar, numbered_grid
from onnxray.report.parts.said import target_words
from onnxray.results.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELLS, _CURVES = 256, 24
_LONGEST_NAME = 60
_STEPS = "step, of the image in floats as it is climbed; the figures in the table are of the saved 8-bit picture"


def sheets(result: Result[SynthesisItem]) -> dict[str, bytes]:
    """``sheet.png`` and further pages, a row for each image that was begun from, and ``trace.png``."""
    model = model_name(result.provenance)
    method, options = result.provenance.method["name"], result.provenance.method["options"]
    palette = palette_of(result.provenance.background)
    groups: dict[str, list[SynthesisItem]] = {}
    for item in result.items[:_CELLS]:
        groups.setdefault(Path(item.path).name if item.path else "", []).append(item)
    rows = [
        Row(name, tuple(cell for item in group for cell in _cells(item, options, palette)))
        for name, group in groups.items()
    ]
    climbed = any(item.trace for item in result.items)
    left = len(result.items) - _CELLS
    footer = [f"{left} more in index.html"] if left > 0 else []
    found = drawn_pages(
        rows, title=f"{method} on {model}",
        subtitle=["classes: by ONNX Runtime on the saved pictures"] if climbed else NUMBERING.get(method, []),
        provenance=result.provenance, footer=footer,
    )  # fmt: skip
    found |= {"trace.png": trace_plot(result)} if climbed else {}
    return found | animations(result)


def animations(result: Result[SynthesisItem]) -> dict[str, bytes]:
    """``zoom-N.gif`` for each picture whose items are numbered as frames: 12 a second, in its own 256 colours."""
    films: list[list[SynthesisItem]] = []
    for item in result.items:
        if item.numbers_.get("frame") == 0:
            films.append([])
        if "frame" in item.numbers_:
            films[-1].append(item)
    return {f"zoom-{place}.gif": _gif([item.images["image"] for item in film]) for place, film in enumerate(films)}


def _gif(pictures: list[NDArray[np.uint8]]) -> bytes:
    frames = [Image.fromarray(p[0] if len(p) == 1 else np.ascontiguousarray(p.transpose(1, 2, 0))) for p in pictures]
    reduced = [frame if frame.mode == "L" else frame.quantize(256) for frame in frames]
    stream = io.BytesIO()
    reduced[0].save(stream, "GIF", save_all=True, append_images=reduced[1:], duration=83, loop=0)
    return stream.getvalue()


def _cells(item: SynthesisItem, options: Mapping[str, Any], palette: Palette) -> list[Cell]:
    cells = [Cell(picture, heading=(role,)) for role, picture in item.images.items() if role != "image"]
    lines = [f"{item.layer}: {item.target}" if item.method == "filters" else target_words(item.target)]
    if item.label is not None and item.probability is not None:
        lines += [f"class {item.label}", f"probability {item.probability:.4f}"]
    lines += [f"{name} {value:.3g}" for name, value in item.numbers_.items() if isinstance(value, float)][:3]
    if item.reason:
        lines.append(item.reason)
    grid = numbered_grid(item, options, palette)
    picture = item.images["image"] if grid is None else grid
    bar = None if grid is None else grey_bar(item, options)
    return [*cells, Cell(picture, tuple(lines[1:]), bar, heading=(lines[0],), whole=grid is not None)]


def _line_name(item: SynthesisItem) -> str:
    """What a line of the trace is of; matplotlib leaves lines out whose names begin with an underscore."""
    target = target_words(item.target)
    name = f"{Path(item.path).name}: {target}" if item.path else target
    return legible(name, _LONGEST_NAME).lstrip("_")


@own_style()
def trace_plot(result: Result[SynthesisItem]) -> bytes:
    """``trace_figure`` as PNG bytes."""
    # It names matplotlib, as it always did: the same run gives the same bytes.
    return png_of(trace_figure(result), metadata=None, palette=palette_of(result.provenance.background))


def trace_figure(result: Result[SynthesisItem]) -> Figure:
    """The objective and each regulariser by step, a panel each, a line an image.

    The total is left out where it is the objective; lines are named where each can have a colour of its own.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for item in result.items for name in item.trace))
    if all(item.trace.get("total") == item.trace.get("objective") for item in result.items) and "objective" in names:
        names = [name for name in names if name != "total"]
    shown = result.items[:_CURVES]
    palette = palette_of(result.provenance.background)
    apart = len(shown) <= len(palette.lines)
    colours = palette.lines if apart else (palette.blue,) * len(shown)
    figure = Figure(figsize=(9, 2.4 * len(names) + 0.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(names), 1, squeeze=False, sharex=True)[:, 0]
    for panel, name in zip(panels, names):
        for item, colour in zip(shown, colours):
            values = item.written_trace().get(name, ())
            panel.plot(range(1, len(values) + 1), values, linewidth=1.2, color=colour, label=_line_name(item))
        panel.set_ylabel(clean_text(name), color=palette.ink, **NO_MARKUP)
        panel.grid(color=palette.grid)
        panel.tick_params(colors=palette.soft_ink)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            panel.spines[side].set_color(palette.soft_ink)
    panels[-1].set_xlabel(_STEPS, color=palette.ink, **NO_MARKUP)
    if len(shown) > 1 and apart:
        legend = panels[0].legend(fontsize=8, frameon=False)
        for text in legend.get_texts():
            text.set(color=palette.ink, **NO_MARKUP)
    count = len(result.items)
    title = f"{result.provenance.method['name']}: every step of {count} image{'' if count == 1 else 's'}"
    figure.suptitle(clean_text(title), color=palette.ink, **NO_MARKUP)
    return figure
