"""The contact sheet of an attack: each image, what came of it, and the perturbation."""

from __future__ import annotations

from pathlib import Path

from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.methods.attack.item import AttackItem
from onnxray.methods.attack.rates import rate_text
from onnxray.methods.shots import Shown
from onnxray.report.pages import MOST_ROWS, drawn_pages, model_name, more_rows
from onnxray.results.result import Result


def sheets(result: Result[AttackItem]) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png``, and further pages where one does not hold them; none of arrays."""
    drawn = [item for item in result.items if not item.moved]
    if not drawn:
        return {}
    first = drawn[0]
    budget = "the smallest that was found" if first.eps is None else f"within {first.eps:g}"
    subtitle = (
        f"{first.norm} {budget}; norms in grey levels, l0 in numbers changed; classes by ONNX Runtime on the saved "
        "image; mid-grey: no change"
    )
    title = f"{first.method} on {model_name(result.provenance)}"
    rows = [_row(item) for item in drawn[:MOST_ROWS]]
    footer = more_rows(len(drawn), "images")
    return drawn_pages(rows, title=title, subtitle=[subtitle], provenance=result.provenance, footer=footer)


def _row(item: AttackItem) -> Row:
    name = Path(item.origin.path).name if item.origin.path else "image"
    before = Cell(item.images["origin"], _said(item.origin), heading=("before",))
    lines = [*_said(item.judged), f"L2 {item.l2:.0f}, L∞ {item.linf:g}"]
    if item.norm not in {"linf", "l2"}:
        lines.append(f"{item.norm} {item.norms[item.norm]:.4g}")
    if not item.success:
        lines.append("goal not reached")
    rate = item.numbers_.get("rate")
    if rate is not None:
        lines.append(f"over fresh draws: {rate_text(rate)}")
    lines.append(f"change drawn x {item.gain or 0:.3g}")
    after = Cell((item.images["image"], item.images["perturbation"]), tuple(lines), heading=("after",))
    return Row(f"{name}: {item.goal}", (before, after))


def _said(shown: Shown) -> tuple[str, ...]:
    if shown.label is None:
        return ()
    return (f"class {shown.label}", *([] if shown.probability is None else [f"probability {shown.probability:.4f}"]))
