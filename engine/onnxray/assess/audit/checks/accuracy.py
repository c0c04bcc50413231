"""Accuracy: the share of pictures that the file itself names as they are labelled.

    accuracy            mean_i [ argmax_k p_k(x_i) = y_i ],  with Wilson's interval; the same of each class and folder
    calibration error   sum_b n_b / n |mean confidence in b - accuracy in b|, b the bins of max_k p_k of equal width
                        (Guo et al. 2017, On Calibration of Modern Neural Networks, eq. 3)

p by ONNX Runtime on the file as it ships. A picture whose scores are no numbers is named wrongly, with no confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, final

from onnxray.assess.audit.check import Check, Figure, Finding, Outcome, Picture, Row, slices_of
from onnxray.assess.audit.measures.calibration import bootstrapped, calibration_error
from onnxray.assess.audit.measures.picturing import name_of, named_sheet, seen, sheet
from onnxray.assess.audit.measures.reading import labelled_class, named, no_classes, row_of_each
from onnxray.images.drawing.contact_sheet import Cell
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.model.model import Model

_SHOWN: Final = 12


@final
@dataclass(frozen=True, kw_only=True)
class Accuracy(Check):
    """The share of pictures that are named rightly, by class and folder too, and how far confidence can be believed."""

    name: ClassVar[str] = "accuracy"
    version: ClassVar[int] = 2
    title: ClassVar[str] = "the share of pictures that are named as they are labelled"
    chunk: ClassVar[int] = 64
    labelled: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True

    bins: Annotated[int, "bins of the calibration error", Range(1, 1000)] = 15

    def unfit(self, model: Model) -> str | None:
        """Only a classifier of pictures has it."""
        return no_classes(model)

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """Of each picture its class as labelled and as named, and the confidence."""
        as_labelled = labelled_class(model)

        def measured(picture: Picture, pixels: Pixels) -> Row:
            said = named(model, pixels)
            if isinstance(said, str):
                return {"true": None, "class": None, "confidence": 0.0, "reason": said}
            true = as_labelled(picture, said.probabilities.shape[1])
            confidence = float(said.probabilities[0, said.classes[0]])
            names = model.answering.labels
            return {
                "true": true, "class": int(said.classes[0]), "confidence": confidence, "named": said.labels[0],
                "meant": None if names is None or true is None or true >= len(names) else names[true],
            }  # fmt: skip

        return row_of_each(model, pictures, measured)

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """Accuracy first, then the calibration error, then the slices; pictures without a label are left out."""
        known = [k for k, picture in enumerate(pictures) if picture.label is not None]
        rows, pictures, left = [rows[k] for k in known], [pictures[k] for k in known], len(rows) - len(known)
        right = [row["class"] is not None and row["class"] == row["true"] for row in rows]
        parts = [
            Figure.share("accuracy", sum(right[k] for k in places), len(places), confidence, slice=name)
            for name, places in slices_of(pictures).items()
        ]
        whole = Figure.share("accuracy", sum(right), len(rows), confidence)
        findings: tuple[Finding, ...] = ()
        broken = [row["reason"] for row in rows if row["class"] is None]
        if broken:
            said = f"{len(broken)} pictures have no scores and count as wrong: {broken[0]}"
            findings = (Finding(level="warning", message=said),)
        notes = (f"{left} pictures have no label and are left out",) if left else ()
        figures = (whole, self._calibration(rows, right, confidence), *parts)
        drawn = self._mistakes(rows, pictures, right)
        return Outcome(figures=figures, findings=findings, notes=notes, pictures=drawn)

    def _mistakes(
        self, rows: Sequence[Row], pictures: Sequence[Picture], right: Sequence[bool]
    ) -> tuple[tuple[str, bytes], ...]:
        """The pictures that are named wrongly with the most confidence."""
        wrong = [k for k, own in enumerate(right) if not own]
        wrong.sort(key=lambda k: (-rows[k]["confidence"], pictures[k].sha256))
        cells = [
            Cell(seen(pictures[k]), (
                f"{rows[k].get('named', 'no class')}, {rows[k]['confidence']:.3f}", _labelled(rows[k], pictures[k]),
                name_of(pictures[k]),
            ))
            for k in wrong[:_SHOWN]
        ]  # fmt: skip
        said = f"{len(wrong)} of {len(rows)} pictures"
        drawn = sheet("Named wrongly with the most confidence", cells, subtitle=[said])
        return named_sheet("mistakes", drawn)

    def _calibration(self, rows: Sequence[Row], right: Sequence[bool], confidence: float) -> Figure:
        told = [row["confidence"] for row in rows]
        low, high = bootstrapped(told, right, self.bins, confidence) if rows else (None, None)
        return Figure(
            name="calibration error", value=calibration_error(told, right, self.bins) if rows else None, low=low,
            high=high, count=len(rows), unit="share", better="lower",
            reason=None if rows else "there are no pictures with a label",
        )  # fmt: skip


def _labelled(row: Row, picture: Picture) -> str:
    """The label as it is stated, and the class's name where that is another."""
    meant = row.get("meant")
    return f"labelled {picture.label}" + ("" if meant in (None, str(picture.label)) else f", {meant}")
