"""Determinism: whether the file gives one picture the same bytes, again and in another session.

    repeats   outputs of one session, run after run;   sessions   outputs of a session that is opened anew

Every output of the file is compared byte by byte, the picture alone in its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

from onnxray.assess.audit.check import Check, Figure, Finding, Outcome, Picture, Row
from onnxray.assess.audit.measures.outputs import apart
from onnxray.assess.audit.measures.reading import no_pictures, row_of_each
from onnxray.engines.judge import Judge
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.model.model import Model


@final
@dataclass(frozen=True, kw_only=True)
class Determinism(Check):
    """The share of pictures that get the same bytes again, and in another session."""

    name: ClassVar[str] = "determinism"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "whether a picture gets the same bytes again, and in another session"
    chunk: ClassVar[int] = 64
    judges: ClassVar[bool] = True

    repeats: Annotated[int, "runs in one session", Range(2, 1000)] = 3

    def unfit(self, model: Model) -> str | None:
        """Pictures are what it is tried on."""
        return no_pictures(model)

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """Of each picture whether its bytes are the same again, and elsewhere, and the largest difference."""
        other = Judge(model.graph, model.device, model.mixing)

        def measured(picture: Picture, pixels: Pixels) -> Row:
            feeds = model.feeds(pixels)
            first, *again = (model.judge.outputs(feeds) for _ in range(self.repeats))
            elsewhere = other.outputs(feeds)
            pairs = [apart(first, one) for one in (*again, elsewhere)]
            return {
                "again": all(same for same, _ in pairs[:-1]), "elsewhere": pairs[-1][0],
                "largest": max(number for _, number in pairs),
            }  # fmt: skip

        return row_of_each(model, pictures, measured)

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """The share that is the same everywhere; one that is not fails the check."""
        sides = {"again": "again in one session", "elsewhere": "in another session"}
        found = list[Finding]()
        for key, words in sides.items():
            off = sum(not row[key] for row in rows)
            if off:
                found.append(Finding(level="error", message=f"{off} of {len(rows)} pictures get other bytes {words}"))
        same = sum(bool(row["again"] and row["elsewhere"]) for row in rows)
        figures = [Figure.share("same bytes", same, len(rows), confidence)]
        if rows:
            largest = max(row["largest"] for row in rows)
            figures.append(Figure.exact(
                "largest difference", largest, count=len(rows), unit="share of the largest number", better="lower"
            ))  # fmt: skip
        return Outcome(figures=tuple(figures), findings=tuple(found))
