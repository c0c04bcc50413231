"""The pictures of an inversion: the original and its pre-images at every layer, in graph order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.report.pages import drawn_pages, model_name
from onnxray.report.parts.said import typed_names
from onnxray.report.synthesis_report import trace_plot
from onnxray.results.result import Result

_CELLS = 256


def sheets(result: Result[SynthesisItem]) -> dict[str, bytes]:
    """``sheet.png`` and further pages, of pictures alone, and ``trace.png``.

    A row for each original with its pre-images beside it; one for each of its layers where there are several samples.
    """
    model = model_name(result.provenance)
    options = result.provenance.method["options"]
    pictures = [item for item in result.items if not item.moved]
    if not pictures:
        return {"trace.png": trace_plot(result)}
    shown, groups = pictures[:_CELLS], dict[tuple[int, str], list[SynthesisItem]]()
    for place, item in zip(_places(shown), shown):
        groups.setdefault((place, str(item.layer) if options["samples"] > 1 else ""), []).append(item)
    names = typed_names(result.provenance, (item.layer for item in shown))
    rows = [_row(layer, items, names) for (_, layer), items in sorted(groups.items(), key=_by_source)]
    left = len(pictures) - len(shown)
    found = drawn_pages(
        rows, title=f"pre-images on {model}",
        subtitle=[
            f"preset {options['preset']}, {options['part']} of the representation; error: "
            "||f(x) - f0||^2 / ||f0||^2 by ONNX Runtime on the saved 8-bit picture, with its class for it"
        ],
        provenance=result.provenance, footer=[f"{left} more in index.html"] if left else [],
    )  # fmt: skip
    return found | {"trace.png": trace_plot(result)}


def _places(items: list[SynthesisItem]) -> Iterator[int]:
    """Of each picture the place of what it is the pre-image of: at every layer they stand in the same order."""
    begun = dict[str | None, int]()
    for item in items:
        begun[item.layer] = begun.get(item.layer, -1) + (item.numbers_["sample"] == 0)
        yield begun[item.layer]


def _by_source(group: tuple[tuple[int, str], list[SynthesisItem]]) -> int:
    """Rows of one source together; the layers keep their order, since sorting is stable."""
    return group[0][0]


def _row(layer: str, items: list[SynthesisItem], names: Mapping[str, str]) -> Row:
    name = PurePath(items[0].path).name if items[0].path else "image"
    return Row(" at ".join(filter(None, (name, names.get(layer, layer)))), _cells(items, names))


def _cells(items: list[SynthesisItem], names: Mapping[str, str]) -> tuple[Cell, ...]:
    first = items[0]
    cells = []
    if "original" in first.images:
        label = first.numbers_["original_label"]
        said = () if label is None else (f"class {label}",)
        cells.append(Cell(first.images["original"], said, heading=("original",)))
    for item in items:
        lines = [f"error {item.numbers_['error']:.4f}"]
        if item.label is not None and item.probability is not None:
            lines.append(f"class {item.label}, {item.probability:.3f}")
        if item.reason:
            lines.append(item.reason)
        heading = (names.get(str(item.layer), str(item.layer)),)
        cells.append(Cell(item.images["image"], tuple(lines), heading=heading))
    return tuple(cells)
