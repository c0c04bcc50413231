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
from onnxray.report.pages import MOST_ROWS, drawn_pages, model_name, more_rows
from onnxray.report.parts.said import target_words, typed_names
from onnxray.report.parts.seen_part import seen_cells, seen_warnings
from onnxray.results.result import Result


def sheets(result: Result[MapItem]) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png`` and further pages; none where the samples are no images."""
    groups: dict[str, list[MapItem]] = {}
    for item in result.items:
        if "image" in item.images:
            groups.setdefault(item.stem, []).append(item)
    if not groups:
        return {}
    shown, stamp = list(groups.values())[:MOST_ROWS], result.provenance
    seen = seen_cells((group[0].path for group in shown), stamp.profile)
    names = typed_names(stamp, (item.layer for item in result.items))
    rows = [_row(group, names, seen.get(group[0].path or "")) for group in shown]
    items = [item for group in shown for item in group]
    return drawn_pages(
        rows, title=f"Saliency ({stamp.method['name']}) on {model_name(stamp)}", subtitle=_legend(items),
        provenance=stamp, footer=more_rows(len(groups), "images"), warnings=seen_warnings(seen, stamp.profile),
    )  # fmt: skip


def _legend(items: Sequence[MapItem]) -> list[str]:
    """What colours mean, of those that are drawn."""
    said = ["below zero: against the target"] if any(item.signed for item in items) else []
    objects = [item.object_ for item in items if item.object_ is not None]
    boxed = any(found["box"] is not None for found in objects)
    said += ["yellow: the object found in the map"] if boxed else []
    said += ["vermilion: the box around it"] if boxed else []
    said += ["sky blue: the reference"] if any("reference_box" in found for found in objects) else []
    return ["; ".join(said)] if said else []


def image_cell(item: MapItem) -> Cell:
    """The image with what the judge says of it."""
    verdict = () if item.label is None else (f"class {item.label}", f"probability {item.probability:.4f}")
    return Cell(item.images["image"], verdict, heading=("image",))


def scale_bar(item: MapItem) -> Bar:
    """The colour scale that a map is drawn in."""
    low = f"{-item.shown_at:.3g}" if item.signed else f"{item.shown_from:.3g}"
    return Bar(colour_bar(signed=item.signed, colormap=item.colormap), low, f"{item.shown_at:.3g}", item.unit)


def target_line(item: MapItem) -> str:
    """What was explained, and its score."""
    name = Path(item.path).name if item.path else "image"
    return f"{name}: {target_words(item.target)} = {item.target_score:.4g}"


def _row(group: Sequence[MapItem], names: Mapping[str, str], seen: Cell | None) -> Row:
    cells = [*([] if seen is None else [seen]), image_cell(group[0])]
    for item in group:
        heading = (item.method, *([f"at {names.get(item.layer, item.layer)}"] if item.layer else []))
        gap = item.numbers_.get("conservation_gap")
        lines = [*([] if gap is None else [f"conservation gap {gap:.2%}"]), *([item.reason] if item.reason else [])]
        cells += [Cell(item.images["overlay"], tuple(lines), heading=heading)]
        cells += [Cell(item.images["map"], (), scale_bar(item), heading=("the map alone",))]
        if "class-map" in item.images:
            cells.append(_class_cell(item))
        if item.object_ is not None:
            cells.append(_object_cell(item.images["object"], item.object_))
    return Row(target_line(group[0]), tuple(cells))


def _class_cell(item: MapItem) -> Cell:
    """Where the square changes the class, and to which; a sentence where it does so nowhere."""
    if item.numbers_.get("class_kept") == 1:
        return Cell(None, ("no position flips it",))
    panels = item.images["class-map"], item.images["class-map-legend"]
    return Cell(panels, heading=("class with the square there", "and its share of the positions"))


def _object_cell(picture: NDArray[np.uint8], found: Mapping[str, Any]) -> Cell:
    lines = [f"object ({found['how']})"]
    if found["box"] is not None:
        lines.append("box " + ",".join(map(str, found["box"])))
    lines += [f"{name} IoU {found[f'{name}_iou']:.2f}" for name in ("box", "mask") if f"{name}_iou" in found]
    if found["reason"]:
        lines.append(found["reason"])
    return Cell(picture, tuple(lines))
