"""The pictures of a saliency run: every image beside its maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxray.map_item import MapItem
from onnxray.report.contact_sheet import Cell, Row
from onnxray.report.pages import drawn_pages
from onnxray.results import Result

_ROWS = 40


def sheets(result: Result[MapItem]) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png`` and further pages; none where the samples are no images."""
    groups: dict[str, list[MapItem]] = {}
    for item in result.items:
        if item.images:
            groups.setdefault(item.stem, []).append(item)
    if not groups:
        return {}
    rows = [_row(group) for group in list(groups.values())[:_ROWS]]
    model = Path(str(result.provenance.model["path"] or "model")).name
    footer = [f"{len(groups) - _ROWS} more images in result.json"] if len(groups) > _ROWS else []
    method = result.provenance.method["name"]
    legend = "under each picture: the method and its layer, and the number at the end of the colour scale; " + (
        "red: for the target, blue: against it" if any(item.signed for item in result.items) else "light: strong"
    )
    return drawn_pages(
        rows, title=f"Saliency ({method}) on {model}", subtitle=[legend], provenance=result.provenance, footer=footer
    )


def _row(group: Sequence[MapItem]) -> Row:
    first = group[0]
    verdict = "" if first.label is None else f"{first.label}, probability {first.probability:.4f}"
    cells = [Cell(first.images["image"], ("image", verdict))]
    for item in group:
        place = f"{item.method}" + (f" at {item.layer}" if item.layer else "")
        lines = [
            place,
            f"{item.shown_from:.4g} to {item.shown_at:.4g}" if item.shown_from else f"up to {item.shown_at:.3g}",
        ]
        if item.reason:
            lines.append(item.reason)
        cells += [Cell(item.images["overlay"], tuple(lines)), Cell(item.images["map"], ("the map alone",))]
        if "class-map" in item.images:
            panels = item.images["class-map"], item.images["class-map-legend"]
            cells.append(Cell(panels, ("class predicted with the square there", "and its share of the positions")))
    name = Path(first.path).name if first.path else "image"
    return Row(f"{name}: {first.target} = {first.target_score:.4g}", tuple(cells))
