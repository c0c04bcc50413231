"""The sheet of what channels look for: patches, what of them counts, and the pictures that they are from."""

from __future__ import annotations

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.methods.features.patches_item import PatchesItem
from onnxray.report.pages import MOST_ROWS, drawn_pages, model_name, more_rows
from onnxray.results.result import Result


def sheets(result: Result[PatchesItem]) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png`` and further pages."""
    if not result.items:
        return {}
    rows = [_row(item) for item in result.items[:MOST_ROWS]]
    seen = result.items[0].pictures_seen
    said = [
        f"the strongest of {seen} pictures, row by row; yellow: what the unit sees, vermilion: its place in the layer",
        "a gradient is drawn from black (less) over mid-grey (none) to white (more), each by itself",
    ]
    return drawn_pages(
        rows, title=f"What channels look for in {model_name(result.provenance)}", subtitle=said,
        provenance=result.provenance, footer=more_rows(len(result.items), "channels"),
    )  # fmt: skip


def _row(item: PatchesItem) -> Row:
    values = [patch["value"] for patch in item.patches]
    cells = [
        Cell(
            item.images["patches"],
            (f"{values[0]:.4g} to {values[-1]:.4g}", f"mean {item.mean:.3g}"),
            heading=("patches",),
        )
    ]
    if "gradients" in item.images:
        cells.append(Cell(item.images["gradients"], (item.reason,) if item.reason else (), heading=(item.picture,)))
    cells.append(Cell(item.images["whole"], (), heading=("whole pictures",)))
    if "effective-field" in item.images:
        side = item.receptive_field["effective"]
        cells.append(Cell(item.images["effective-field"], (f"effective field: {side:.0f} pixels a side",)))
    size = item.receptive_field["size"]
    sees = item.receptive_field["reason"] if size is None else f"sees {size[0]} x {size[1]} pixels"
    return Row(f"{item.layer}, channel {item.channel}: {sees}", tuple(cells))
