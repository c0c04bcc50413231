"""The pictures of generators: what they show, and how many pictures they fool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.images.drawing.page.palette import Palette, palette_of
from onnxray.images.drawing.plot_style import own_style, png_of, title_lines
from onnxray.images.drawing.text import NO_MARKUP, clean_text
from onnxray.report.pages import MOST_ROWS, drawn_pages, model_name, more_rows
from onnxray.report.parts.curves import share_axes, thin_frame
from onnxray.results.result import Result
from onnxray.training.generators.fooling import FoolingItem
from onnxray.training.generators.inverted_item import InvertedItem
from onnxray.training.generators.item import GeneratedItem

_BESIDE, _WIDE = 5, 128
"""Cells in a row; a picture of more pixels fills a pair's cell by itself, and fewer stand beside each other."""


def trained_pictures(result: Result[GeneratedItem]) -> dict[str, bytes]:
    """``curve.png``, the cross-entropy by steps, and ``sheet.png``."""
    title = f"The training of a generator for {model_name(result.provenance)}"
    drawn = loss_curves({"": result.extra["losses"]}, title, palette_of(result.provenance.background))
    return {**sheets(result), "curve.png": drawn}


@own_style()
def loss_curves(losses: Mapping[str, Sequence[Mapping[str, float]]], title: str, palette: Palette) -> bytes:
    """The cross-entropies of trainings by their steps, each under its name."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=144)
    figure.set_layout_engine("constrained")
    ax = figure.subplots()
    for (name, told), colour in zip(losses.items(), palette.lines):
        steps, values = ([one[key] for one in told] for key in ("steps", "loss"))
        ax.plot(steps, values, color=colour, linewidth=1.8, label=clean_text(name))
    ax.set_yscale("log")
    ax.minorticks_off()
    ax.set_xlabel("steps", fontsize=9, color=palette.ink)
    ax.set_ylabel("mean cross-entropy of ten steps", fontsize=9, color=palette.ink)
    thin_frame(ax, palette)
    if any(losses):
        for text in ax.legend(fontsize=8, frameon=False).get_texts():
            text.set(color=palette.ink, **NO_MARKUP)
    ink = palette.ink
    figure.suptitle(title_lines(title, 70), x=0.012, ha="left", fontsize=11, weight="bold", color=ink, **NO_MARKUP)
    return png_of(figure, palette=palette)


def sheets(result: Result[GeneratedItem]) -> dict[str, bytes]:
    """``sheet.png``: every picture, and what ONNX Runtime says of it."""
    cells = [Cell(item.image, _words(item)) for item in result.items]
    rows = [Row("", tuple(cells[k : k + _BESIDE])) for k in range(0, len(cells), _BESIDE)]
    if not rows:
        return {}
    reached = sum(item.strongest == item.number for item in result.items)
    subtitle = f"{reached} of {len(result.items)} are most what they were asked to be; by ONNX Runtime, 8-bit pictures"
    title = f"A generator for {model_name(result.provenance)}"
    return drawn_pages(
        rows[:MOST_ROWS], title=title, subtitle=[subtitle], provenance=result.provenance,
        footer=more_rows(len(rows), "rows"),
    )  # fmt: skip


def _words(item: GeneratedItem) -> tuple[str, str]:
    other = "" if item.strongest == item.number else f"; it is {item.strongest_label}"
    return item.label, f"{item.probability:.4f}{other}"


def inverted_sheets(result: Result[InvertedItem]) -> dict[str, bytes]:
    """``sheet.png``: held-out pictures, and what came of their codes."""
    cells = [
        Cell(tuple(item.images[role] for role in ("original", "image")), (f"{item.image_error:.3f}",))
        for item in result.items
    ]
    if not cells:
        return {}
    wide = result.items[0].images["image"].shape[-1] > _WIDE
    beside = _BESIDE - 2 if wide else _BESIDE
    rows = [Row("", tuple(cells[k : k + beside])) for k in range(0, len(cells), beside)]
    subtitle = "held-out pictures, and what their codes are turned back into; normalised image error"
    title = f"Learned inversion of {result.items[0].layer} of {model_name(result.provenance)}"
    return drawn_pages(rows, title=title, subtitle=[subtitle], provenance=result.provenance)


def fooling_pictures(result: Result[FoolingItem]) -> dict[str, bytes]:
    """``curve.png``, the rates by coefficient, and ``sheet.png``, each perturbation with a picture before and after."""
    if not result.items:
        return {}
    title, found = f"A generator's pictures fool {model_name(result.provenance)}", result.extra["fooling"]
    rows = [Row("", tuple(_cell(item) for item in result.items[k : k + 2])) for k in range(0, len(result.items), 2)]
    sheet = drawn_pages(
        rows[:MOST_ROWS], title=title, subtitle=["perturbation, a picture, the same with it added"],
        provenance=result.provenance, footer=more_rows(len(rows), "rows"),
    )  # fmt: skip
    return {**sheet, "curve.png": _curve(found, title, palette_of(result.provenance.background))}


def _cell(item: FoolingItem) -> Cell:
    last = item.rates[-1]
    lines = (item.label, f"at {last['coefficient']}: {last['fooled']} of {last['pictures']} fooled")
    return Cell(tuple(item.images[role] for role in ("perturbation", "before", "after")), lines)


@own_style()
def _curve(found: Any, title: str, palette: Palette) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=144)
    figure.set_layout_engine("constrained")
    ax = figure.subplots()
    lines = (
        ("generator", "generator: another class", palette.blue, "-"),
        ("targeted", "generator: the class shown", palette.green, "-"),
        ("universal", "universal perturbation", palette.vermilion, "--"),
        ("random", "random signs", palette.soft_ink, ":"),
        ("random_of_the_same_l2", "random signs of the same L2", palette.soft_ink, "-."),
    )
    steps = [row["coefficient"] for row in found["curve"]]
    for key, label, colour, dash in lines:
        shares = [row[key] for row in found["curve"]]
        if all(share is not None for share in shares):
            ax.plot(steps, shares, color=colour, linestyle=dash, linewidth=1.8, label=label)
    share_axes(ax, palette, "coefficient e, grey levels", "fooling rate")
    ink = palette.ink
    figure.suptitle(title_lines(title, 70), x=0.012, ha="left", fontsize=11, weight="bold", color=ink, **NO_MARKUP)
    return png_of(figure, palette=palette)
