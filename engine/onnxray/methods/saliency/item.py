"""A saliency map of one image, its numbers and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.drawing.page.palette import Palette
from onnxray.images.drawing.samples import drawn_in
from onnxray.notebooks.displayed import one_line, short_number
from onnxray.results.file_names import extended, plain_name
from onnxray.results.item import Item

_DRAWINGS: Final = ("map", "overlay", "object", "class-map")
"""The pictures that may be enlarged: those that hold no numbers, and none that stands beside one of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MapItem(Item):
    """One map of one image.

    heat: (height, width) at the image's size, what is drawn; for samples that are no images, of the sample's shape,
    or of its rows and columns.
    attribution: what the method computed before it was reduced or resized, per input channel or at the layer's size.
    signed: whether evidence against the target counts, below zero. shown_at: the number at the end of the colour scale;
    shown_from: at its beginning, of an unsigned map.
    target: what was explained, in words; target_score: its value by the judge. class_, label, score, probability: the
    judge's verdict on the image; None where the model is no classifier. numbers: what else the method has to say; more:
    what of it are arrays, by name. object_: what was found in the map (see objects_of_maps.py), where it was asked
    for; colormap: what it is drawn in. wrt: the input or value that it is a map of, where that is not the one picture.
    unit: what the map's numbers are in. enlarged: how many times as large the map's drawings are saved.
    """

    path: str | None
    class_: int | None
    label: str | None
    score: float | None
    probability: float | None
    target: str
    target_score: float
    method: str
    layer: str | None
    signed: bool
    shown_at: float
    numbers_: Mapping[str, Any]
    reason: str | None
    stem: str = field(repr=False)
    heat: NDArray[np.float32] = field(repr=False)
    attribution: NDArray[np.float32] = field(repr=False)
    images: Mapping[str, Image8] = field(repr=False)
    object_: Mapping[str, Any] | None = None
    colormap: str = "auto"
    shown_from: float = 0.0
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    wrt: str | None = None
    unit: str = ""
    enlarged: int = 1

    def __repr__(self) -> str:
        said = "" if self.label is None else f", class {self.label} ({short_number(self.probability)})"
        where = f" at {self.layer}" if self.layer else ""
        name = Path(self.path).name if self.path else "image"
        return one_line(self, f"{name}: {self.method}{where}, {self.target} = {short_number(self.target_score)}{said}")

    @property
    def peak(self) -> tuple[int, ...]:
        """Where the map is largest: (row, column)."""
        return tuple(int(k) for k in np.unravel_index(int(self.heat.argmax()), self.heat.shape))

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "path": self.path, "class": self.class_, "label": self.label, "score": self.score,
            "probability": self.probability, "target": self.target, "target_score": self.target_score,
            "method": self.method, "layer": self.layer, "signed": self.signed, "peak": list(self.peak),
            "minimum": float(self.heat.min()), "maximum": float(self.heat.max()), "sum": float(self.heat.sum()),
            "shown_at": self.shown_at, "shown_from": self.shown_from, "colormap": self.colormap,
            "object": self.object_, **self.numbers_, "numbers": list(self.numbers_), "arrays": list(self.more),
            "reason": self.reason, **({} if self.wrt is None else {"wrt": self.wrt}),
            **({} if not self.unit else {"unit": self.unit}),
            **({} if self.enlarged == 1 else {"enlarged": self.enlarged}),
        }  # fmt: skip

    def measured_again(self) -> dict[str, Any]:
        """What the map tells: its least and largest numbers, and where the largest is."""
        return {
            "minimum": float(self.heat.min()), "maximum": float(self.heat.max()), "peak": list(self.peak),
        }  # fmt: skip

    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """``image``, ``map`` alone, the heat map over the image, ``overlay``, and ``levels``: the map in 16-bit grey.

        heat = minimum + level * (maximum - minimum) / 65535, the two as they stand in the numbers. ``mask`` and
        ``object`` where an object was looked for. The image itself is one file for all maps of it. Of samples that are
        no images: ``map`` alone, where it can be drawn.
        """
        shown: dict[str, NDArray[Any]] = dict(self.images)
        if "image" in shown:
            shown["levels"] = to_levels(self.heat)
        times = dict.fromkeys(_DRAWINGS, self.enlarged)
        return {
            role: (
                extended(self.stem if role == "image" else self._own_stem, role),
                picture.repeat(times.get(role, 1), 1).repeat(times.get(role, 1), 2),
            )
            for role, picture in shown.items()
        }

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """``heat``, ``attribution`` (float32) and what else the method gives, as .npy files."""
        found = {"heat": self.heat, "attribution": self.attribution, **self.more}
        return {role: (extended(self._own_stem, role), array) for role, array in found.items()}

    @property
    def _own_stem(self) -> str:
        return extended(self.stem, self.wrt, self.layer, self.method)

    def drawn_in(self, palette: Palette, /) -> Self:
        """The item with its figures of samples that are no pictures in other colours."""
        return replace(self, images=drawn_in(self.images, palette))

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        same = ("path", "label", "score", "probability", "target", "target_score", "method", "layer", "signed",
                "shown_at", "shown_from", "reason", "colormap")  # fmt: skip
        times = dict.fromkeys(_DRAWINGS, document.get("enlarged", 1))
        drawn = set(pictures) - {"heat", "attribution", "levels", *document["arrays"]}
        return cls(
            **{name: document[name] for name in same},
            class_=document["class"],
            numbers_={name: document[name] for name in document["numbers"]},
            stem=_stem_in(document),
            heat=pictures["heat"],
            attribution=pictures["attribution"],
            object_=document["object"],
            wrt=document.get("wrt"),
            unit=document.get("unit", ""),
            more={role: pictures[role] for role in document["arrays"]},
            enlarged=document.get("enlarged", 1),
            images={
                role: picture[:, :: times.get(role, 1), :: times.get(role, 1)]
                for role, picture in pictures.items()
                if role in drawn
            },
        )


def _stem_in(document: Mapping[str, Any]) -> str:
    """What the files of an item's image are called, read off their names."""
    files = document["files"]
    if "image" in files:  # before version 0.7 it had no role in its name
        return str(files["image"]).removesuffix(".png").removesuffix("-image")
    own = plain_name(extended("", document.get("wrt"), document["layer"], document["method"], "heat"))
    return str(files["heat"]).removesuffix(".npy").removesuffix(f"-{own}")


def to_levels(heat: NDArray[np.float32]) -> NDArray[np.uint16]:
    """round(65535 (M - min M) / (max M - min M)), (1, height, width); zeros for a map of one number."""
    real = heat.astype(np.float64)
    low, span = real.min(), float(np.ptp(real))
    levels: NDArray[np.uint16] = np.rint((real - low) * (65535 / span if span else 0.0)).astype(np.uint16)[None]
    return levels
