"""The pictures of a patch: a contact sheet with some placements, and a sheet to be printed."""

from __future__ import annotations

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.methods.attack.physical.patch_item import PatchItem
from onnxray.report.pages import drawn_pages, model_name
from onnxray.report.parts.print_sheet import print_sheet
from onnxray.report.parts.tried_pictures import name_of, rate_lines, verdict_of
from onnxray.results.result import Result

_BESIDE = 3


def sheets(result: Result[PatchItem]) -> dict[str, bytes]:
    """File name -> bytes: ``sheet.png``, and ``print.png`` and ``print.pdf``, A4, to be printed without scaling."""
    if not result.items:
        return {}
    item = result.items[0]
    about = f"{item.shape}, {item.side} pixels, {100 * item.share:g} % of a picture"
    rows = [Row(f"the patch: {about}", (Cell(item.images["patch"], rate_lines(item.rates)),))]
    cells = [
        Cell(item.images[f"placed-{number}"], (name_of(example), verdict_of(example)))
        for number, example in enumerate(item.examples, 1)
    ]
    rows += [
        Row("the first of the fresh placements" if not first else "", tuple(cells[first : first + _BESIDE]))
        for first in range(0, len(cells), _BESIDE)
    ]
    drawn = ", ".join(item.transformations) or "no transformation"
    subtitle = f"towards {item.goal}, anywhere on a picture, {drawn}; by ONNX Runtime on 8-bit pictures"
    name = model_name(result.provenance)
    pages = drawn_pages(rows, title=f"Patch for {name}", subtitle=[subtitle], provenance=result.provenance)
    said = (f"Patch for {name}, towards {item.goal}", f"made as {100 * item.share:g} % of what the network sees")
    return pages | print_sheet(item.images["patch"], item.print_mm, item.dpi, said, disc=item.shape == "circle")
