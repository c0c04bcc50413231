"""Batch invariance: whether a picture is answered the same alone and among others.

    apart = max |f(x)_alone - f(x)_among| / max |f(x)_alone|,  over every output of the file that has a row a picture

The others are the picture itself turned, mirrored and inverted, and noise, so that what is measured is of its own bytes
alone; it stands first and last. Sums of floats come out in another order for another batch, so bytes may differ by
rounding; a class may not, and no sample may depend on another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, final

import numpy as np

from onnxray.arrays import Array
from onnxray.assess.audit.check import Check, Figure, Finding, Outcome, Picture, Row, seed_of
from onnxray.assess.audit.measures.outputs import apart
from onnxray.assess.audit.measures.reading import no_pictures, row_of_each
from onnxray.graph.fixed_batch import fixed_batch_of, has_no_batch
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.model.model import Model

_ROUNDING: Final = 1e-3
"""Relative difference of an output that is let pass, as by ``verify``."""


@final
@dataclass(frozen=True, kw_only=True)
class BatchInvariance(Check):
    """The share of pictures that are answered alike alone and among others."""

    name: ClassVar[str] = "batch-invariance"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "whether a picture is answered alike alone and among others"
    chunk: ClassVar[int] = 32
    judges: ClassVar[bool] = True

    among: Annotated[int, "pictures in the batch", Range(2, 4096)] = 8

    def unfit(self, model: Model) -> str | None:
        """Pictures are what it is tried on, several at a time."""
        if (why := no_pictures(model)) is not None:
            return why
        own = fixed_batch_of(model.graph)
        if own == 1 or has_no_batch(model.graph):
            return "the file takes one picture at a time"
        return f"the file takes {own} pictures at a time, never one alone" if own is not None else None

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """Of each picture how far its outputs lie apart, and whether the largest number of each stays in its place."""

        def measured(picture: Picture, pixels: Pixels) -> Row:
            batch = _batch(pixels.array[0], self.among, seed_of(seed, self, picture))
            alone = model.judge.outputs(model.feeds(pixels))
            together = model.judge.together(model.feeds(Pixels.of(batch)), tuple(alone))
            rows = {
                name: array for name, array in together.items()
                if np.ndim(array) and len(array) == self.among and np.ndim(alone[name]) and len(alone[name]) == 1
            }  # fmt: skip
            sides = [{name: array[[place]] for name, array in rows.items()} for place in (0, -1)]
            own = {name: alone[name] for name in rows}
            return {
                "outputs": sorted(rows), "largest": max(apart(own, side)[1] for side in sides),
                "kept": all(_same_winner(own[name], side[name]) for side in sides for name in rows),
            }  # fmt: skip

        return row_of_each(model, pictures, measured)

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """The share of pictures whose winners stay; one that changes, or differs by more than rounding, fails it."""
        told = [row for row in rows if row["outputs"]]
        alike = [bool(row["kept"]) and row["largest"] <= _ROUNDING for row in told]
        found = list[Finding]()
        if told and not all(alike):
            said = f"{alike.count(False)} of {len(told)} pictures are answered otherwise among others than alone"
            found.append(Finding(level="error", message=said))
        figures = [Figure.share("answered alike", sum(alike), len(told), confidence)]
        if told:
            largest = max(row["largest"] for row in told)
            figures.append(Figure.exact(
                "largest difference", largest, count=len(told), unit="share of the largest number", better="lower"
            ))  # fmt: skip
        notes = (f"among {self.among - 1} others made of the picture itself; {_ROUNDING:g} is let pass as rounding",)
        return Outcome(figures=tuple(figures), findings=tuple(found), notes=notes)


def _batch(picture: Array, count: int, seed: int) -> Array:
    """The picture, others, and the picture."""
    random = np.random.default_rng(seed)
    made = [picture[:, ::-1], picture[:, :, ::-1], 255 - picture]
    while len(made) < count - 2:
        made.append(random.integers(0, 256, picture.shape).astype(np.float32))
    return np.stack([picture, *made[: count - 2], picture])


def _same_winner(one: Array, other: Array) -> bool:
    a, b = np.ravel(one), np.ravel(other)
    return a.size == b.size and (a.size < 2 or a.dtype.kind not in "fiu" or int(a.argmax()) == int(b.argmax()))
