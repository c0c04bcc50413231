"""Quantisation: a file beside the float file that it was made from, on the same pictures.

    agreement            mean_i [ C(x_i) = C_float(x_i) ]
    largest difference   max_i max_k |p_k(x_i) - p_k,float(x_i)|

Both by ONNX Runtime, each with its own preprocessing. The other file counts by its contents and not by its path.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import numpy as np

from onnxray.assess.audit.check import Check, Figure, Outcome, Picture, Row, slices_of
from onnxray.assess.audit.measures.reading import labelled_class, named, no_classes, row_of_each
from onnxray.assess.audit.measures.spreads import median
from onnxray.errors import InputError
from onnxray.graph.reading import read_graph
from onnxray.images.pixels import Pixels
from onnxray.model.model import Model
from onnxray.model.opening import open_model


@final
@dataclass(frozen=True, kw_only=True)
class Quantisation(Check):
    """How often a file agrees with the float file beside it, and how far probabilities move."""

    name: ClassVar[str] = "quantisation"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "how often the file agrees with the float file that it was made from"
    chunk: ClassVar[int] = 64
    labelled: ClassVar[bool] = True
    files: ClassVar[tuple[str, ...]] = ("beside",)

    beside: Annotated[str | None, "the float file's path; without it there is nothing to compare"] = None

    def unfit(self, model: Model) -> str | None:
        """Two classifiers of pictures are compared."""
        if (why := no_classes(model)) is not None:
            return why
        if self.beside is None:
            return 'no float file is stated beside it (beside = "PATH")'
        if read_graph(self.beside).identity == model.graph.identity:
            return "it is the file that others are compared with"
        return None

    def options(self) -> dict[str, Any]:
        """The other file by its contents: what a unit is kept by. Errors: ModelFileError."""
        return {"beside": None if self.beside is None else dict(read_graph(self.beside).identity)}

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """Of each picture the class by both, and the largest change of a probability. Errors: InputError."""
        other, as_labelled = _opened(str(self.beside)), labelled_class(model)

        def measured(picture: Picture, pixels: Pixels) -> Row:
            own, its = named(model, pixels), named(other, other.pixels([picture.path]))
            if isinstance(own, str) or isinstance(its, str):
                reason = own if isinstance(own, str) else str(its)
                return {"true": None, "class": None, "beside": None, "change": None, "reason": reason}
            if own.probabilities.shape != its.probabilities.shape:
                counts = own.probabilities.shape[1], its.probabilities.shape[1]
                raise InputError(
                    f"the files have {counts[0]} and {counts[1]} classes; two of one network were expected"
                )
            change = float(np.abs(own.probabilities - its.probabilities).max())
            true = as_labelled(picture, own.probabilities.shape[1])
            return {"true": true, "class": int(own.classes[0]), "beside": int(its.classes[0]), "change": change}

        return row_of_each(model, pictures, measured)

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """Agreement, the largest and the median change, both accuracies where there are labels, the slices."""
        agree = [row["class"] is not None and row["class"] == row["beside"] for row in rows]
        changes = [row["change"] for row in rows if row["change"] is not None]
        figures = [Figure.share("agreement", sum(agree), len(rows), confidence)]
        if changes:
            figures.append(Figure.exact(
                "largest difference", max(changes), count=len(changes), unit="probability", better="lower"
            ))  # fmt: skip
        figures.append(median("median difference", changes, confidence, unit="probability", better="lower"))
        known = [row for row, picture in zip(rows, pictures) if picture.label is not None]
        if known:
            for word, key in (("accuracy", "class"), ("accuracy of the float file", "beside")):
                right = sum(row[key] is not None and row[key] == row["true"] for row in known)
                figures.append(Figure.share(word, right, len(known), confidence))
        figures += [
            Figure.share("agreement", sum(agree[k] for k in places), len(places), confidence, slice=name)
            for name, places in slices_of(pictures).items()
        ]
        return Outcome(figures=tuple(figures))


@functools.lru_cache(1)
def _opened(path: str) -> Model:
    """The float file, once a worker: every unit of the check asks the same one."""
    return open_model(path)
