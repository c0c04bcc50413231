"""The sheet of nearest neighbours: every query beside its neighbours in a layer's space and in pixel space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.methods.features.neighbors_item import NeighborsItem
from onnxray.report.pages import MOST_ROWS, drawn_pages, model_name, more_rows
from onnxray.results.result import Result


def sheets(result: Result[NeighborsItem]) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png`` and further pages, of the queries that are drawn."""
    drawn = [item for item in result.items if "query" in item.images]
    if not drawn:
        return {}
    rows = [_row(item) for item in drawn[:MOST_ROWS]]
    said = [_space(space) for space in result.extra.get("spaces", ())]
    first = f"{len(drawn)} of {len(result.items)} queries; the nearest on the left; {drawn[0].metric} distance"
    return drawn_pages(
        rows, title=f"Nearest neighbours on {model_name(result.provenance)}", subtitle=[first, *dict.fromkeys(said)],
        provenance=result.provenance, footer=more_rows(len(drawn), "queries"),
    )  # fmt: skip


def _space(space: Mapping[str, Any]) -> str:
    if space["share_of_label"] is None:
        return f"{space['space']}: {space['reason']}"
    return (
        f"{space['space']}: {space['share_of_label']:.1%} of the neighbours share the query's label, the majority is "
        f"right for {space['majority_right']:.1%} of {space['queries']} queries"
    )


def _row(item: NeighborsItem) -> Row:
    cells = [Cell(item.images["query"], (item.label,) if item.label else (), heading=("query",))]
    for role, listed, heading in (
        ("neighbors", item.neighbors, item.layer), ("pixel-neighbors", item.pixel_neighbors, "pixels"),
    ):  # fmt: skip
        if role in item.images:
            wide = item.images[role].shape[2] // len(listed)
            parts = (
                tuple(np.ascontiguousarray(part) for part in np.split(item.images[role], len(listed), 2))
                if wide
                else ()
            )
            cells.append(Cell(parts, (_said(listed),), heading=(f"nearest in {heading}",)))
    name = Path(item.path).name if item.path else f"picture {item.place}"
    twins = f": near duplicate of {', '.join(Path(str(twin)).name for twin in item.duplicate_of)}"
    return Row(f"{name}{twins if item.duplicate_of else ''}", tuple(cells))


def _said(listed: Sequence[Mapping[str, Any]]) -> str:
    labels = [str(one["label"]) for one in listed if one["label"] is not None]
    far = f"at {listed[0]['distance']:.3g} to {listed[-1]['distance']:.3g}"
    return f"{' '.join(labels)}; {far}" if labels else far
