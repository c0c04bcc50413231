"""The pictures of a robustness evaluation: the curve, the smallest norms by class, and the images that went first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onnxray.arrays import spread_places
from onnxray.assess.robustness.item import RobustnessItem
from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.images.drawing.page.palette import WHITE, Palette, palette_of
from onnxray.images.drawing.plot_style import legible, own_style, png_of, title_lines
from onnxray.images.drawing.text import NO_MARKUP
from onnxray.methods.attack.threat import unit_of
from onnxray.report.pages import drawn_pages, model_name
from onnxray.report.parts.curves import share_axes
from onnxray.results.result import Result

_MOST, _BESIDE = 20, 4
_DASHES = ("-", "--", ":", "-.")


def pictures(result: Result[RobustnessItem]) -> dict[str, bytes]:
    """``curve.png``, and ``sheet.png``: twenty images from those flipped most easily to those that hold out."""
    found = result.extra["robustness"]
    title, palette = f"Robustness of {model_name(result.provenance)}", palette_of(result.provenance.background)
    return {**_sheet(result, title), "curve.png": curve(found, result.items, title=title, palette=palette)}


@own_style()
def curve(found: Mapping[str, Any], items: Sequence[RobustnessItem], *, title: str, palette: Palette = WHITE) -> bytes:
    """Robust accuracy against eps as PNG bytes: each attack, and the worst case with its 95 % band."""
    from matplotlib.figure import Figure

    colours = (palette.blue, palette.vermilion, palette.green, palette.purple, palette.sky, palette.orange)
    figure = Figure(figsize=(8.0, 4.6), dpi=144)
    figure.set_layout_engine("constrained")
    ax = figure.subplots()
    right, count, rows = [item for item in items if item.correct], max(1, len(items)), found["curve"]
    end = max((row["eps"] for row in rows), default=1.0)
    for k, (name, norms) in enumerate(_lines(found, right)):
        x, y = _steps(norms, count, end)
        ax.plot(
            x, y, drawstyle="steps-post", color=colours[k % len(colours)], linewidth=1.2, label=legible(name, 40),
            linestyle=_DASHES[k // len(colours) % len(_DASHES)],
        )  # fmt: skip
    x, y = _steps([item.smallest for item in right], count, end)
    ax.plot(x, y, drawstyle="steps-post", color=palette.ink, linewidth=2.4, label="worst case")
    low, high = ([row["interval"][k] for row in rows] for k in (0, 1))
    steps = [row["eps"] for row in rows]
    ax.vlines(steps, low, high, color=palette.soft_ink, linewidth=5, alpha=0.35, label="95 % interval")
    ax.set_xlim(0, end)
    share_axes(
        ax, palette, f"budget, {found['norm']}, {unit_of(found['norm'])}", "robust accuracy", legend="upper right"
    )
    said = (
        f"{len(items)} images, {found['misclassified']} named wrongly as they came; saved 8-bit pictures, ONNX Runtime"
    )
    ink = palette.ink
    figure.suptitle(title_lines(title, 90), x=0.012, ha="left", fontsize=12, weight="bold", color=ink, **NO_MARKUP)
    ax.set_title(said, loc="left", fontsize=8, color=palette.soft_ink, **NO_MARKUP)
    return png_of(figure, palette=palette)


def _lines(found: Mapping[str, Any], right: Sequence[RobustnessItem]) -> Iterator[tuple[str, Sequence[float | None]]]:
    """Attacks with a curve of their own, and what is left after each other one, where that has found something."""
    own = found["curve"][0]["attacks"] if found["curve"] else {}
    least: list[float | None] = [None] * len(right)
    for name in found["attacks"]:
        norms = [item.norms.get(name) for item in right]
        known = ([one for one in pair if one is not None] for pair in zip(least, norms))
        after = [min(pair, default=None) for pair in known]
        if name in own:
            yield name, norms
        elif after != least:
            yield f"after {name}", after
        least = after


def _steps(norms: Sequence[float | None], count: int, end: float) -> tuple[list[float], list[float]]:
    """Where the share falls: from the clean accuracy down by one image at each norm."""
    known = np.sort([one for one in norms if one is not None])
    x, y = [0.0], [len(norms) / count]
    for done, norm in enumerate(known.tolist(), 1):
        x.append(norm)
        y.append((len(norms) - done) / count)
    return [*x, max(end, x[-1])], [*y, y[-1]]


def _sheet(result: Result[RobustnessItem], title: str) -> dict[str, bytes]:
    drawn = [item for item in result.items if item.correct and "origin" in item.images]
    if not drawn:
        return {}
    order = sorted(drawn, key=lambda item: math.inf if item.smallest is None else item.smallest)
    places = spread_places(len(order), _MOST)
    norm = order[0].norm
    subtitle = (
        f"{len(places)} of {len(order)} rightly named images, in order of the smallest {norm} that flips them; "
        "mid-grey: no change"
    )
    rows = [
        Row("", tuple(_cell(order[k]) for k in places[start : start + _BESIDE]))
        for start in range(0, len(places), _BESIDE)
    ]
    return drawn_pages(rows, title=title, subtitle=[subtitle], provenance=result.provenance)


def _cell(item: RobustnessItem) -> Cell:
    name = Path(item.origin.path).name if item.origin.path else "image"
    if item.after is None or item.smallest is None:
        return Cell(item.images["origin"], (name, f"{item.true_label}: not flipped"))
    lines = (
        name, f"{item.true_label} -> {item.after.label}, {item.after.probability:.4f}",
        f"{item.norm} {item.smallest:.4g} by {item.attack}; change drawn x {item.gain or 0:.3g}",
    )  # fmt: skip
    return Cell(tuple(item.images[role] for role in ("origin", "image", "perturbation")), lines)
