"""Accuracy: the share of pictures that the file itself names as they are labelled.

    accuracy            mean_i [ argmax_k p_k(x_i) = y_i ],  with Wilson's interval; the same of each class and folder
    calibration error   sum_b n_b / n |mean confidence in b - accuracy in b|, b the bins of max_k p_k of equal width
                        (Guo et al. 2017, On Calibration of Modern Neural Networks, eq. 3); of classes that exclude
                        each other

p by ONNX Runtime on the file as it ships.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

from onnxray.assess.audit.check import Check, Figure, Outcome, Picture, Row, slices_of
from onnxray.graph.outputs.facts import CLASS_KINDS
from onnxray.methods.option_checks import Range
from onnxray.model.model import Model


@final
@dataclass(frozen=True, kw_only=True)
class Accuracy(Check):
    """The share of pictures that are named rightly, by class and folder too, and how far confidence can be believed."""

    name: ClassVar[str] = "accuracy"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "the share of pictures that are named as they are labelled"
    chunk: ClassVar[int] = 64
    labelled: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True

    bins: Annotated[int, "bins of the calibration error", Range(1, 1000)] = 15

    def unfit(self, model: Model) -> str | None:
        """Only a classifier of pictures has it."""
        if model.profile is None:
            return "its input is no picture"
        return None if model.head.kind in CLASS_KINDS else f"its output is {model.head.said()}, not one score a class"

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:  # noqa: ARG002
        """Of each picture its class as labelled and as named, and the confidence."""
        from onnxray.objectives.targets import class_index  # imports torch

        said = model.predict_classes([picture.path for picture in pictures])
        count = said.probabilities.shape[1]
        true = {str(one.label): class_index(model, str(one.label), count) for one in pictures}
        confidences = said.probabilities.max(1)
        return [
            {"true": true[str(picture.label)], "class": int(said.classes[k]), "confidence": float(confidences[k])}
            for k, picture in enumerate(pictures)
        ]

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """Accuracy first, then the calibration error, then the slices."""
        right = [row["class"] == row["true"] for row in rows]
        parts = [
            Figure.share("accuracy", sum(right[k] for k in places), len(places), confidence, slice=name)
            for name, places in slices_of(pictures).items()
        ]
        whole = Figure.share("accuracy", sum(right), len(rows), confidence)
        return Outcome(figures=(whole, self._calibration(rows, right), *parts))

    def _calibration(self, rows: Sequence[Row], right: Sequence[bool]) -> Figure:
        """Without an interval: the error is biased upwards where bins hold few."""
        sums: dict[int, float] = {}
        for row, own in zip(rows, right):
            place = min(self.bins - 1, int(row["confidence"] * self.bins))
            sums[place] = sums.get(place, 0.0) + row["confidence"] - own
        error = sum(map(abs, sums.values())) / len(rows) if rows else None
        return Figure(
            name="calibration error", value=error, low=None, high=None, count=len(rows), unit="share", better="lower",
            reason=None if rows else "there are no pictures",
        )  # fmt: skip
