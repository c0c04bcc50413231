"""The contact sheet of a universal perturbation: itself, and pictures before and after."""

from __future__ import annotations

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.methods.attack.threat import unit_of
from onnxray.methods.attack.universal.item import UniversalItem
from onnxray.report.pages import drawn_pages, model_name
from onnxray.report.parts.tried_pictures import name_of, rate_lines, verdict_of
from onnxray.results.result import Result

_BESIDE = 3


def sheets(result: Result[UniversalItem]) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png``."""
    if not result.items:
        return {}
    item = result.items[0]
    norms = f"L2 {item.norms['l2']:.0f}, L∞ {item.norms['linf']:g}; drawn x {item.gain:.3g}, mid-grey: no change"
    rows = [Row(f"the perturbation: {norms}", (Cell(item.images["perturbation"], rate_lines(item.rates)),))]
    cells = []
    for number, example in enumerate(item.examples, 1):
        pair = (item.images[f"before-{number}"], item.images[f"after-{number}"])
        cells.append(Cell(pair, (name_of(example), verdict_of(example))))
    rows += [
        Row("before and after" if not first else "", tuple(cells[first : first + _BESIDE]))
        for first in range(0, len(cells), _BESIDE)
    ]
    subtitle = (
        f"{item.norm} within {item.eps:g} {unit_of(item.norm)}, towards {item.goal}; fooling rates by ONNX Runtime on "
        "saved 8-bit pictures"
    )
    title = f"Universal perturbation for {model_name(result.provenance)}"
    return drawn_pages(rows, title=title, subtitle=[subtitle], provenance=result.provenance)
