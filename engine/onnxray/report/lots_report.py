"""The pictures of a LOTS run: contact sheets in the manner of the paper's figures, and the stability plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.lots.summary import LayerSummary
from onnxray.methods.shots import Shown
from onnxray.report.pages import drawn_pages, model_name
from onnxray.report.stability_plot import LayerSpread, stability_plot
from onnxray.results.provenance import Provenance
from onnxray.results.result import Result

_ROWS = 24


def sheets(result: Result[LotsItem]) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png``, and further pages where one does not hold them; none of arrays."""
    groups = rows([item for item in result.items if not item.moved])
    if not groups:
        return {}
    shown = groups[:_ROWS]
    footer = [f"{len(groups) - _ROWS} more pairs in result.json"] if len(groups) > _ROWS else []
    model = model_name(result.provenance)
    return pages(shown, title=f"LOTS on {model}", provenance=result.provenance, footer=footer)


def pages(shown: Sequence[Row], *, title: str, provenance: Provenance, footer: Sequence[str] = ()) -> dict[str, bytes]:
    """Draw rows under a title that says what was assumed."""
    legend = (
        "under each picture: layer, class by ONNX Runtime on the saved image; PASS | L2 | Linf in grey levels; the "
        "change beside it is drawn times the last number, mid-grey being none"
    )
    return drawn_pages(shown, title=title, subtitle=[legend], provenance=provenance, footer=footer)


def rows(items: Sequence[LotsItem]) -> list[Row]:
    """One row for each origin and target: both at the left, then image and perturbation for each layer."""
    groups: dict[tuple[str, str | None], list[LotsItem]] = {}
    for item in items:
        groups.setdefault((item.stems["origin"], item.stems.get("target")), []).append(item)
    return [_row(group) for group in groups.values()]


def _row(group: list[LotsItem]) -> Row:
    first = group[0]
    cells = [_shown_cell("Origin", first.origin, first)]
    if first.target is not None:
        cells.append(_shown_cell("Target", first.target, first))
    for item in group:
        score = "-" if item.similarity is None else f"{item.similarity.score:.4f}"
        numbers = f"{score} | {item.l2:.0f} | {item.linf:.0f}"
        lines = [item.layer if item.label is None else f"{item.layer}: {item.label}", numbers]
        if item.until == "distance":
            lines.append(f"{item.metric} distance {item.distance_before:.3g} to {item.distance_after:.3g}")
        if item.aim is not None:
            lines.append(f"{item.aim['of']}: {item.aim['before']:.3g} to {item.aim['after']:.3g}")
        if not item.success:
            lines.append("goal not reached")
        lines.append(f"change x {item.gain:.3g}")
        cells.append(Cell((item.images["image"], item.images["perturbation"]), tuple(lines)))
    aim = {"inhibit": "own representation inhibited (x-)", "magnify": "own representation magnified (x+)"}
    name = Path(first.origin.path).name if first.origin.path else "origin"
    goal = (
        aim.get(first.mode) or f"towards {Path(str(first.target.path)).name if first.target else first.target_source}"
    )
    return Row(f"{name}: {goal}", tuple(cells))


def _shown_cell(role: str, shown: Shown, item: LotsItem) -> Cell:
    said = (role,) if shown.label is None else (f"{role}: {shown.label}", f"probability {shown.probability:.4f}")
    return Cell(item.images[role.lower()], said)


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
    return stability_plot(spreads, title=f"Perturbation needed at each layer ({mode}), {model}", units=units)
