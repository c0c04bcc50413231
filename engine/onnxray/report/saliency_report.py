"""The pictures of a saliency run: every image beside its maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.images.drawing.contact_sheet import Bar, Cell, Row
from onnxray.images.drawing.heat_map import colour_bar
from onnxray.methods.saliency.item import MapItem
from onnxray.report.pages import drawn_pages, model_name
from onnxray.results.result import Result

_ROWS = 40


def sheets(result: Result[MapItem]) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png`` and further pages; none where the samples are no images."""
    groups: dict[str, list[MapItem]] = {}
    for item in result.items:
        if "image" in item.images:
            groups.setdefault(item.stem, []).append(item)
    if not groups:
        return {}
    rows = [_row(group) for group in list(groups.values())[:_ROWS]]
    model = model_name(result.provenance)
    footer = [f"{len(groups) - _ROWS} more images in result.json"] if len(groups) > _ROWS else []
    method = result.provenance.method["name"]
    legend = ["under each picture: the method and its layer; under the map alone: its colour scale"]
    if any(item.signed for item in result.items):
        legend[0] += "; below zero: against the target"
    if any(item.object_ for item in result.items):
        drawn = ["yellow: the object found in the map", "vermilion: the box around it"]
        given = any("reference_box" in (item.object_ or {}) for item in result.items)
        legend.append("; ".join([*drawn, *(["sky blue: the reference"] if given else [])]))
    return drawn_pages(
        rows, title=f"Saliency ({method}) on {model}", subtitle=legend, provenance=result.provenance, footer=footer
    )


def image_cell(item: MapItem) -> Cell:
    """The image with what the judge says of it."""
    verdict = () if item.label is None else (f"class {item.label}", f"probability {item.probability:.4f}")
    return Cell(item.images["image"], ("image", *verdict))


def scale_bar(item: MapItem) -> Bar:
    """The colour scale that a map is drawn in."""
    low = f"{-item.shown_at:.3g}" if item.signed else f"{item.shown_from:.3g}"
    return Bar(colour_bar(signed=item.signed, colormap=item.colormap), low, f"{item.shown_at:.3g}", item.unit)


def target_line(item: MapItem) -> str:
    """What was explained, and its score."""
    name = Path(item.path).name if item.path else "image"
    return f"{name}: {item.target} = {item.target_score:.4g}"


def _row(group: Sequence[MapItem]) -> Row:
    cells = [image_cell(group[0])]
    for item in group:
        lines = [item.method, f"at {item.layer}"] if item.layer else [item.method]
        if item.numbers_.get("conservation_gap") is not None:
            lines.append(f"conservation gap {item.numbers_['conservation_gap']:.2%}")
        if item.reason:
            lines.append(item.reason)
        cells += [Cell(item.images["overlay"], tuple(lines))]
        cells += [Cell(item.images["map"], ("the map alone",), scale_bar(item))]
        if "class-map" in item.images:
            panels = item.images["class-map"], item.images["class-map-legend"]
            said = ("class predicted with the square there", "and its share of the positions")
            if item.numbers_.get("class_kept") == 1:
                said = ("no position of the square", "changes the class")
            cells.append(Cell(panels, said))
        if item.object_ is not None:
            cells.append(_object_cell(item.images["object"], item.object_))
    return Row(target_line(group[0]), tuple(cells))


def _object_cell(picture: NDArray[np.uint8], found: Mapping[str, Any]) -> Cell:
    lines = [f"object ({found['how']})"]
    if found["box"] is not None:
        lines.append("box " + ",".join(map(str, found["box"])))
    lines += [f"{name} IoU {found[f'{name}_iou']:.2f}" for name in ("box", "mask") if f"{name}_iou" in found]
    if found["reason"]:
        lines.append(found["reason"])
    return Cell(picture, tuple(lines))
