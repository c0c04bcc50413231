"""Corruptions: how much more often pictures are named wrongly in noise, blur, weather and digital corruptions.

    E_c                                  mean_s mean_i [ C(c_s(x_i)) != y_i ],  s the severities of corruption c
    mean corruption error                mean_c E_c
    relative mean corruption error       mean_c E_c - E_clean

Hendrycks, Dietterich 2019 (arXiv 1903.12261), with their constants, at the model's own size and
rounded to 8 bits. Theirs are divided by AlexNet's errors on ImageNet; these are absolute. Frost is left out: it lays
the authors' photographs over pictures. Those that they keep for tuning (speckle-noise, gaussian-blur, spatter,
saturate) are measured where ``kinds`` names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np

from onnxray.assess.audit.check import Check, Figure, Outcome, Picture, Row, seed_of, slices_of
from onnxray.assess.audit.measures.picturing import name_of, named_sheet, seen, sheet
from onnxray.assess.audit.measures.reading import labelled_class, named, no_classes, row_of_each
from onnxray.assess.audit.measures.spreads import mean, mean_share
from onnxray.errors import InputError
from onnxray.images.corruptions.catalogue import FAMILIES, SEVERITIES, corrupted
from onnxray.images.corruptions.catalogue import named as named_corruptions
from onnxray.images.drawing.contact_sheet import Cell
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import check_choices
from onnxray.model.model import Model


@final
@dataclass(frozen=True, kw_only=True)
class Corruptions(Check):
    """The mean corruption error, by corruption, family and severity."""

    name: ClassVar[str] = "corruptions"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "how often pictures are named wrongly in noise, blur, weather and digital corruptions"
    chunk: ClassVar[int] = 8
    labelled: ClassVar[bool] = True

    kinds: Annotated[str, "families or corruptions, with commas"] = ",".join(FAMILIES)
    severities: Annotated[str, "severities from 1 to 5, with commas"] = ",".join(map(str, SEVERITIES))

    def __post_init__(self) -> None:
        check_choices(self)
        named_corruptions(self.kinds)
        if not self._severities or not set(self._severities) <= set(SEVERITIES):
            raise InputError(f"severities is {self.severities!r}; whole numbers from 1 to 5 were expected, with commas")

    @property
    def _severities(self) -> tuple[int, ...]:
        parts = [part.strip() for part in self.severities.split(",")]
        return tuple(sorted({int(part) if part.isdecimal() else 0 for part in parts}))

    def unfit(self, model: Model) -> str | None:
        """Only a classifier of pictures has it."""
        return no_classes(model)

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """Of each picture whether it is named wrongly as it is, and in every corruption, severity by severity."""
        as_labelled = labelled_class(model)
        kinds, severities = named_corruptions(self.kinds), self._severities

        def measured(picture: Picture, pixels: Pixels) -> Row:
            own = seed_of(seed, self, picture)
            plain = to_uint8(pixels.array[0])
            said = named(model, pixels)
            stated = None if isinstance(said, str) else as_labelled(picture, said.probabilities.shape[1])
            clean = None if isinstance(said, str) else int(said.classes[0])
            true = clean if stated is None else stated
            wrong: dict[str, list[int]] = {}
            for place, name in enumerate(kinds):
                worse = np.stack(
                    [
                        corrupted(plain, name, severity, np.random.default_rng([own, place, severity]))
                        for severity in severities
                    ]
                )
                told = named(model, Pixels.of(worse))
                classes = [None] * len(worse) if isinstance(told, str) else told.classes.tolist()
                wrong[name] = [int(one is None or one != true) for one in classes]
            wrongly = int(clean is None or clean != true)
            return {"true": true, "clean": wrongly, "wrong": wrong, "shape": list(plain.shape)}

        return row_of_each(model, pictures, measured)

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """The mean corruption error first; the slices are kinds, families, severities, classes and folders."""
        kinds = named_corruptions(self.kinds)
        table = np.array(
            [[row["wrong"][kind] for kind in kinds] for row in rows], np.float64
        )  # picture, kind, severity
        table = table.reshape(len(rows), len(kinds), len(self._severities))
        clean = np.array([row["clean"] for row in rows], np.float64)
        each = table.mean((1, 2)) if len(rows) else np.zeros(0)

        def error(part: np.ndarray[tuple[int, ...], np.dtype[np.float64]], slice: str | None = None) -> Figure:
            return mean_share("mean corruption error", part.tolist(), confidence, better="lower", slice=slice)

        figures = [
            error(each),
            mean("relative mean corruption error", (each - clean).tolist(), confidence, unit="share", better="lower"),
            mean_share("clean error", clean.tolist(), confidence, better="lower"),
        ]
        by_kind = {kind: table[:, place].mean(1) if len(rows) else each for place, kind in enumerate(kinds)}
        for family, members in FAMILIES.items():
            own = [by_kind[kind] for kind in members if kind in by_kind]
            figures += [error(np.mean(own, 0), f"family={family}")] if own else []
        figures += [error(part, f"corruption={kind}") for kind, part in by_kind.items()]
        figures += [
            error(table[:, :, place].mean(1) if len(rows) else each, f"severity={severity}")
            for place, severity in enumerate(self._severities)
        ]
        figures += [error(each[places], name) for name, places in slices_of(pictures).items()]
        unlabelled = sum(picture.label is None for picture in pictures)
        notes = [
            "absolute errors: not divided by those of AlexNet; frost, which needs photographs of its authors, is left "
            "out"
        ]
        notes += [f"{unlabelled} pictures have no label; the class that they have clean counts as right"] * bool(
            unlabelled
        )
        return Outcome(figures=tuple(figures), notes=tuple(notes), pictures=self._examples(rows, pictures))

    def _examples(self, rows: Sequence[Row], pictures: Sequence[Picture]) -> tuple[tuple[str, bytes], ...]:
        """What the corruptions make of one picture, stretched to the model's size."""
        places = sorted(range(len(rows)), key=lambda k: pictures[k].sha256)
        if not places:
            return ()
        picture, (channels, height, width) = pictures[places[0]], rows[places[0]]["shape"]
        plain = seen(picture, grey=channels == 1, size=(height, width))
        if plain is None:
            return ()
        severity = self._severities[len(self._severities) // 2]
        cells = [Cell(plain, (name_of(picture),))]
        for name in named_corruptions(self.kinds):
            worse = corrupted(plain, name, severity, np.random.default_rng(0))
            share = np.mean([row["wrong"][name] for row in rows])
            cells.append(Cell(worse, (name, f"{share:.3f} wrong")))
        said = f"at severity {severity}; below each how often pictures are named wrongly, over its severities"
        return named_sheet("examples", sheet("One picture in every corruption", cells, subtitle=[said]))
