"""The pictures of a LOTS run: contact sheets in the manner of the paper's figures, and the stability plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.images.drawing.page.palette import palette_of
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.lots.summary import LayerSummary
from onnxray.methods.shots import Shown
from onnxray.report.pages import MOST_ROWS, drawn_pages, model_name, more_rows
from onnxray.report.parts.said import typed_names
from onnxray.report.stability_plot import LayerSpread, stability_plot
from onnxray.results.provenance import Provenance
from onnxray.results.result import Result


def sheets(result: Result[LotsItem]) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png``, and further pages where one does not hold them; none of arrays."""
    shown = [item for item in result.items if not item.moved]
    groups = rows(shown, typed_names(result.provenance, (item.layer for item in shown)))
    if not groups:
        return {}
    title, footer = f"LOTS on {model_name(result.provenance)}", more_rows(len(groups), "pairs")
    return pages(groups[:MOST_ROWS], title=title, provenance=result.provenance, footer=footer)


def pages(shown: Sequence[Row], *, title: str, provenance: Provenance, footer: Sequence[str] = ()) -> dict[str, bytes]:
    """Draw rows under a title that says what was assumed."""
    legend = "classes: by ONNX Runtime on the saved images; L2 and L∞ in grey levels; mid-grey: no change"
    return drawn_pages(shown, title=title, subtitle=[legend], provenance=provenance, footer=footer)


def rows(items: Sequence[LotsItem], names: Mapping[str, str] | None = None) -> list[Row]:
    """One row for each origin and target: both at the left, then image and perturbation for each layer.

    names: what stands for layers that were asked for by other names.
    """
    groups: dict[tuple[str, str | None], list[LotsItem]] = {}
    for item in items:
        groups.setdefault((item.stems["origin"], item.stems.get("target")), []).append(item)
    return [_row(group, names or {}) for group in groups.values()]


def _row(group: list[LotsItem], names: Mapping[str, str]) -> Row:
    first = group[0]
    cells = [_shown_cell("Origin", first.origin, first)]
    if first.target is not None:
        cells.append(_shown_cell("Target", first.target, first))
    for item in group:
        score = "-" if item.similarity is None else f"{item.similarity.score:.4f}"
        lines = [] if item.label is None else [f"class {item.label}"]
        lines += [f"PASS {score}", f"L2 {item.l2:.0f}, L∞ {item.linf:.0f}"]
        if item.until == "distance":
            lines.append(f"{item.metric} distance {item.distance_before:.3g} to {item.distance_after:.3g}")
        if item.aim is not None:
            lines.append(f"{item.aim['of']}: {item.aim['before']:.3g} to {item.aim['after']:.3g}")
        if not item.success:
            lines.append("goal not reached")
        lines.append(f"change drawn x {item.gain:.3g}")
        heading = (names.get(item.layer, item.layer),)
        cells.append(Cell((item.images["image"], item.images["perturbation"]), tuple(lines), heading=heading))
    aim = {"inhibit": "own representation inhibited (x-)", "magnify": "own representation magnified (x+)"}
    name = Path(first.origin.path).name if first.origin.path else "origin"
    return Row(f"{name}: {aim.get(first.mode) or f'towards {_target_name(first)}'}", tuple(cells))


def _target_name(item: LotsItem) -> str:
    """Its file, or what else is known of it."""
    if item.target is None:
        return str(item.target_source)
    if item.target.path is not None:
        return Path(item.target.path).name
    return "an image" if item.target.label is None else f"an image of class {item.target.label}"


def _shown_cell(role: str, shown: Shown, item: LotsItem) -> Cell:
    said = () if shown.label is None else (f"class {shown.label}", f"probability {shown.probability:.4f}")
    return Cell(item.images[role.lower()], said, heading=(role,))


def plot(result: Result[LotsItem], layers: Sequence[LayerSummary]) -> bytes:
    """The stability plot as PNG bytes."""
    model = model_name(result.provenance)
    spreads = [
        LayerSpread(
            layer=layer.layer,
            l2=tuple(point[0] for point in layer.points),
            linf=tuple(point[1] for point in layer.points),
            similarity=() if layer.similarity is None else tuple(p[2] for p in layer.points if p[2] is not None),
            share_reached=layer.share_reached,
        )
        for layer in layers
    ]
    mode = result.items[0].mode if result.items else "lots"
    units = "the arrays' own units" if any(item.moved for item in result.items) else "grey levels"
    return stability_plot(
        spreads, title=f"Perturbation needed at each layer ({mode}), {model}", units=units,
        palette=palette_of(result.provenance.background),
    )  # fmt: skip
