"""The contact sheet of an attack: each image, what came of it, and the perturbation."""

from __future__ import annotations

from pathlib import Path

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.methods.attack.item import AttackItem
from onnxray.report.pages import drawn_pages, model_name
from onnxray.results.result import Result

_ROWS = 24


def sheets(result: Result[AttackItem]) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png``, and further pages where one does not hold them; none of arrays."""
    drawn = [item for item in result.items if not item.moved]
    if not drawn:
        return {}
    footer = [f"{len(drawn) - _ROWS} more in result.json"] if len(drawn) > _ROWS else []
    first = drawn[0]
    budget = "the smallest that was found" if first.eps is None else f"within {first.eps:g}"
    subtitle = (
        f"{first.norm} {budget}; norms in grey levels, classes by ONNX Runtime on the saved image; the change is drawn "
        "times the number under it, mid-grey being none"
    )
    title = f"{first.method} on {model_name(result.provenance)}"
    rows = [_row(item) for item in drawn[:_ROWS]]
    return drawn_pages(rows, title=title, subtitle=[subtitle], provenance=result.provenance, footer=footer)


def _row(item: AttackItem) -> Row:
    name = Path(item.origin.path).name if item.origin.path else "image"
    before = Cell(item.images["origin"], _said("before", item.origin.label, item.origin.probability))
    numbers = f"linf {item.linf:g} | l2 {item.l2:.0f} | {item.norm} {item.norms[item.norm]:.4g}"
    if item.norm in {"linf", "l2"}:
        numbers = f"linf {item.linf:g} | l2 {item.l2:.0f}"
    lines = [*_said("after", item.judged.label, item.judged.probability), numbers]
    if not item.success:
        lines.append("goal not reached")
    after = Cell((item.images["image"], item.images["perturbation"]), (*lines, f"change x {item.gain or 0:.3g}"))
    return Row(f"{name}: {item.goal}", (before, after))


def _said(role: str, label: str | None, probability: float | None) -> tuple[str, ...]:
    if label is None:
        return (role,)
    return (f"{role}: {label}", f"probability {probability:.4f}" if probability is not None else "")
