"""Invariance: how often a change that leaves what is shown alone leaves the class alone too.

    consistency = mean_i mean_t [ C(t(x_i)) = C(x_i) ],  t the changes:

    shift        by ``pixels`` up, down, left and right      brightness   ``levels`` grey levels more, and less
    contrast     1.25 times, and a 1.25th, about 127.5       flip         left and right changed

whatever the label is. A flip changes digits and letters, so it is not among the changes unless it is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np

from onnxray.assess.audit.check import Check, Outcome, Picture, Row, slices_of
from onnxray.assess.audit.measures.changes import NAMES, changed
from onnxray.assess.audit.measures.reading import named, no_classes, row_of_each
from onnxray.assess.audit.measures.spreads import mean_share
from onnxray.errors import InputError
from onnxray.errors.near_misses import did_you_mean
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range, check_choices
from onnxray.model.model import Model


@final
@dataclass(frozen=True, kw_only=True)
class Invariance(Check):
    """How often small shifts and changes of brightness and contrast keep the class."""

    name: ClassVar[str] = "invariance"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "how often small shifts and changes of light leave the class as it is"
    chunk: ClassVar[int] = 32

    changes: Annotated[str, "shift, brightness, contrast, flip, with commas"] = "shift,brightness,contrast"
    pixels: Annotated[int, "pixels of a shift", Range(1, 10_000)] = 1
    levels: Annotated[int, "grey levels of a change of brightness", Range(1, 255)] = 16

    def __post_init__(self) -> None:
        check_choices(self)
        for name in self._names:
            if name not in NAMES:
                near = did_you_mean(name, NAMES)
                raise InputError(f"there is no change {name!r}; {near}there are: {', '.join(NAMES)}")

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.strip() for part in self.changes.split(",")))

    def unfit(self, model: Model) -> str | None:
        """Only a classifier of pictures has it."""
        return no_classes(model)

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """Of each picture and change whether the class is kept."""

        def measured(picture: Picture, pixels: Pixels) -> Row:
            plain = to_uint8(pixels.array[0])
            forms = {
                word: form
                for name in self._names
                for word, form in changed(plain, name, pixels=self.pixels, levels=self.levels)
            }
            said = named(model, pixels)
            told = named(model, Pixels.of(np.stack(list(forms.values()))))
            if isinstance(said, str) or isinstance(told, str):
                return {"kept": dict.fromkeys(forms, 0), "reason": said if isinstance(said, str) else str(told)}
            return {"kept": {word: int(one == said.classes[0]) for word, one in zip(forms, told.classes)}}

        return row_of_each(model, pictures, measured)

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """The consistency over all changes first, then of each change, class and folder."""
        each = [sum(row["kept"].values()) / len(row["kept"]) for row in rows]
        figures = [mean_share("consistency", each, confidence, better="higher")]
        for word in dict.fromkeys(word for row in rows for word in row["kept"]):
            kept = [float(row["kept"][word]) for row in rows]
            figures.append(mean_share("consistency", kept, confidence, better="higher", slice=f"change={word}"))
        figures += [
            mean_share("consistency", [each[k] for k in places], confidence, better="higher", slice=name)
            for name, places in slices_of(pictures).items()
        ]
        notes = (f"shifts of {self.pixels} pixels, brightness {self.levels} grey levels more and less",)
        return Outcome(figures=tuple(figures), notes=notes)
