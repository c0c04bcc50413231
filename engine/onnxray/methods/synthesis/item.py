"""An image that was synthesised: its numbers, what the judge says of it, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.drawing.page.palette import Palette
from onnxray.images.drawing.samples import drawn_in
from onnxray.notebooks.displayed import one_line, short_number
from onnxray.results.file_names import extended
from onnxray.results.item import Item


@dataclass(frozen=True, kw_only=True, eq=False)
class SynthesisItem(Item):
    """One synthesised image; everything is measured on the 8-bit picture that is saved.

    path: of the image that it began from or inverts, None where there is none. target: what was climbed, in words.
    class_, label, probability: the judge's verdict on the picture; None where the model is no classifier. steps: taken.
    trace: name -> a number a step: the objective, the total and every regulariser times its weight, of the image in
    floats as it is climbed, which may leave [0, 255] on the way: its end is not the saved picture's figure. numbers_:
    what else the method has to say. images: ``image``, and what else is shown; snapshots: by step. Of arrays, images
    are a ``figure`` of each that can be drawn, arrays_ they themselves, and moved says of each what it is read as, its
    ``unit``, ``l2`` and ``linf`` in its own units.
    """

    path: str | None
    method: str
    layer: str | None
    target: str
    class_: int | None
    label: str | None
    probability: float | None
    steps: int
    trace: Mapping[str, tuple[float, ...]] = field(repr=False)
    numbers_: Mapping[str, Any]
    reason: str | None
    stem: str = field(repr=False)
    images: Mapping[str, Image8] = field(repr=False)
    snapshots: Mapping[int, Image8] = field(default_factory=dict, repr=False)
    moved: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    arrays_: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        said = "" if self.label is None else f", class {self.label} ({short_number(self.probability)})"
        origin = f" from {Path(self.path).name}" if self.path else ""
        where = f" at {self.layer}" if self.layer else ""
        return one_line(self, f"{self.method}{where}: {self.target}{origin}, {self.steps} steps{said}")

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "path": self.path, "method": self.method, "layer": self.layer, "target": self.target,
            "class": self.class_, "label": self.label, "probability": self.probability, "steps": self.steps,
            **self.numbers_, "numbers": list(self.numbers_), "reason": self.reason,
            "trace": self.written_trace(),
            **({"wrt": list(self.moved), "moved": self.moved, "stem": self.stem} if self.moved else {}),
        }  # fmt: skip

    def written_trace(self) -> dict[str, list[float]]:
        """The trace to six digits, as the document has it, so that what is drawn of it is the same from there."""
        return {name: [float(f"{value:.6g}") for value in values] for name, values in self.trace.items()}

    def pictures(self) -> dict[str, tuple[str, Image8]]:
        """The picture, what it is shown beside, and the snapshots."""
        shown = {role: (extended(self.stem, role), picture) for role, picture in self.images.items()}
        kept = {
            f"step-{step}": (extended(self.stem, "step", step), picture) for step, picture in self.snapshots.items()
        }
        return {**shown, **kept}

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """Of arrays: ``image``, what was made, and ``original`` of each, by name."""
        return {role: (extended(self.stem, role), array) for role, array in self.arrays_.items()}

    def drawn_in(self, palette: Palette, /) -> Self:
        """The item with its figures of samples that are no pictures in other colours."""
        return replace(self, images=drawn_in(self.images, palette))

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        numbers = {role for role, name in document["files"].items() if name.endswith(".npy")}
        same = ("path", "method", "layer", "target", "label", "probability", "steps", "reason")
        steps = {role: int(role.removeprefix("step-")) for role in pictures if role.startswith("step-")}
        return cls(
            **{name: document[name] for name in same},
            class_=document["class"],
            trace={name: tuple(values) for name, values in document["trace"].items()},
            numbers_={name: document[name] for name in document["numbers"]},
            stem=document.get("stem") or document["files"]["image"].removesuffix(".png").removesuffix("-image"),
            images={role: picture for role, picture in pictures.items() if role not in {*steps, *numbers}},
            moved=document.get("moved", {}),
            arrays_={role: pictures[role] for role in pictures if role in numbers},
            snapshots={step: pictures[role] for role, step in steps.items()},
        )
