"""Near duplicates: pictures that lie in two folders, or under two labels, and are nearly the same.

    by pixels     root mean square of the difference of two pictures, as grey of at most 32 pixels a side, <= rms
    by features   1 - cosine of the two at ``features``, the input of the last linear layer, <= angle

A test set that shares pictures with the training set measures memory; one picture under two labels measures nothing.
Every pair is looked at: no index leaves any out. What is kept of a picture is small, so that a later audit reads only
those that are new.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, ClassVar, Final, final

import numpy as np
from PIL import Image

from onnxray.arrays import Array
from onnxray.assess.audit.check import Check, Figure, Finding, Outcome, Picture, Row
from onnxray.assess.audit.measures.picturing import name_of, named_sheet, seen, sheet
from onnxray.assess.audit.measures.reading import no_pictures, row_of_each
from onnxray.errors.short_values import short
from onnxray.images.drawing.contact_sheet import Cell
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.model.model import Model

_SIDE: Final = 32
_LUMA: Final = np.array([0.299, 0.587, 0.114])
_BLOCK: Final = 512
_LISTED: Final = 20
_SHOWN: Final = 6

Pair = tuple[float, int, int]
"""How far two pictures lie apart, and their places."""


@final
@dataclass(frozen=True, kw_only=True)
class NearDuplicates(Check):
    """The share of pictures with a near duplicate in another folder or under another label."""

    name: ClassVar[str] = "near-duplicates"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "pictures that nearly repeat one of another folder or label"
    chunk: ClassVar[int] = 64

    rms: Annotated[float, "grey levels that near pictures lie apart at most", Range(0.0, 255.0)] = 2.0
    angle: Annotated[float, "1 - cosine of features that lie near each other at most", Range(0.0, 2.0)] = 1e-3

    def unfit(self, model: Model) -> str | None:
        """Pictures are compared."""
        return no_pictures(model)

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """Of each picture a small grey copy, and its features in half precision, of length 1."""
        layer = model.aliases.get("features")

        def measured(picture: Picture, pixels: Pixels) -> Row:
            grey = pixels.array[0]
            grey = np.tensordot(_LUMA, grey, 1) if len(grey) == 3 else grey[0]
            image = Image.fromarray(to_uint8(grey))
            if max(image.size) > _SIDE:
                share = _SIDE / max(image.size)
                width, height = (max(1, round(side * share)) for side in image.size)
                image = image.resize((width, height), Image.Resampling.BOX)
            small = np.asarray(image)
            row = {"side": list(small.shape), "grey": _text(small), "features": None}
            row["exact"] = hashlib.sha256(pixels.array.tobytes()).hexdigest()
            if layer is not None:
                vector = np.ravel(model.values(pixels, [layer])[layer]).astype(np.float64)
                norm = float(np.linalg.norm(vector))
                if np.isfinite(norm) and norm > 0:
                    row["features"] = _text((vector / norm).astype(np.float16))
            return row

        return row_of_each(model, pictures, measured)

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """The share that has a near duplicate by pixels first, then by features; the nearest pairs are listed."""
        found = list[Finding]()
        figures = []
        notes = []
        drawn: tuple[tuple[str, bytes], ...] = ()
        grey: list[Array | None] = [np.frombuffer(base64.b64decode(row["grey"]), np.uint8) for row in rows]
        features: list[Array | None] = [
            None if row["features"] is None else np.frombuffer(base64.b64decode(row["features"]), np.float16)
            for row in rows
        ]
        for word, vectors, most, unit in (
            ("pixels", grey, self.rms, "grey levels"), ("features", features, self.angle, "1 - cosine"),
        ):  # fmt: skip
            known = {k: vector for k, vector in enumerate(vectors) if vector is not None}
            places = list(known)
            touched, count, nearest = set[int](), 0, list[Pair]()
            for apart, *both in _pairs(list(known.values()), most, cosine=word == "features"):
                a, b = (places[k] for k in both)
                if _elsewhere(pictures[a], pictures[b]):
                    touched |= {a, b}
                    count += 1
                    nearest.append((apart, a, b))
                    nearest = sorted(nearest)[:_LISTED]
            figures.append(Figure.share(
                f"near duplicates by {word}", len(touched), len(known), confidence, better="lower"
            ))  # fmt: skip
            found += [Finding(level="warning", message=_said(pair, pictures, unit)) for pair in nearest]
            drawn += named_sheet(word, _pairs_sheet(nearest[:_SHOWN], pictures, unit))
            if count > _LISTED:
                notes.append(f"{count} pairs by {word}, of which the nearest {_LISTED} are listed")
        same = _exact(rows, pictures)
        figures.append(Figure.exact("identical pairs", same, count=len(rows), unit="pairs", better="lower"))
        if len({picture.folder for picture in pictures}) < 2 and len({picture.label for picture in pictures}) < 2:
            notes.append("all pictures lie in one folder and have one label, so there is nothing to compare")
        return Outcome(figures=tuple(figures), findings=tuple(found), notes=tuple(notes), pictures=drawn)


def _pairs(vectors: Sequence[Array], most: float, *, cosine: bool) -> Iterator[Pair]:
    """(distance, place, place) of every two of one length that lie near each other, the first before the second."""
    by_size: dict[int, list[int]] = {}
    for place, vector in enumerate(vectors):
        by_size.setdefault(len(vector), []).append(place)
    for size, places in by_size.items():
        array = np.stack([vectors[place] for place in places]).astype(np.float64)
        squares = (array**2).sum(1)
        for start in range(0, len(array), _BLOCK):
            block = array[start : start + _BLOCK]
            products = block @ array.T
            if cosine:
                norms = np.sqrt(squares[start : start + _BLOCK, None] * squares)
                apart = 1 - products / norms
            else:
                gap = squares[start : start + _BLOCK, None] + squares - 2 * products
                apart = np.sqrt(np.maximum(gap, 0) / size)
            for row, column in zip(*np.nonzero(apart <= most)):
                if start + row < column:
                    yield round(float(max(0.0, apart[row, column])), 6), places[start + row], places[column]


def _pairs_sheet(pairs: Sequence[Pair], pictures: Sequence[Picture], unit: str) -> bytes | None:
    """Pairs side by side."""
    cells = []
    for apart, *places in pairs:
        for k in places:
            label = "no label" if pictures[k].label is None else f"labelled {pictures[k].label}"
            place = f"in {pictures[k].folder}, {label}"
            cells.append(Cell(seen(pictures[k]), (name_of(pictures[k]), place, f"{apart:.3g} {unit} apart")))
    return sheet("Pairs that lie nearest", cells, across=2)


def _exact(rows: Sequence[Row], pictures: Sequence[Picture]) -> int:
    """Pairs of one picture in two places."""
    groups: dict[str, list[Picture]] = {}
    for row, picture in zip(rows, pictures):
        groups.setdefault(row["exact"], []).append(picture)
    return sum(
        _elsewhere(one, other) for group in groups.values() for k, one in enumerate(group) for other in group[k + 1 :]
    )


def _elsewhere(one: Picture, other: Picture) -> bool:
    return one.folder != other.folder or (None not in (one.label, other.label) and one.label != other.label)


def _said(pair: Pair, pictures: Sequence[Picture], unit: str) -> str:
    apart, *places = pair
    names = (
        f"{short(PurePath(pictures[k].path).name)} in {short(pictures[k].folder)}"
        + ("" if pictures[k].label is None else f", labelled {short(pictures[k].label)}")
        for k in places
    )
    return f"{' and '.join(names)} lie {apart:.3g} {unit} apart"


def _text(array: Array) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
