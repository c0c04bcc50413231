"""What an evaluation gives for one image: the smallest perturbation of each attack, and of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.methods.shots import Shown, change_measured_again
from onnxray.notebooks.displayed import one_line, short_number
from onnxray.results.item import Item


@dataclass(frozen=True, kw_only=True, eq=False)
class RobustnessItem(Item):
    """One image under every attack; all norms are of saved 8-bit pictures, in grey levels, judged by ONNX Runtime.

    true: the class that counts as right, true_label: in words. correct: whether the image as it came is given it; one
    that is not is not attacked, and is never a success. norms: attack -> the smallest norm at which it succeeded, None
    where it did not; an attack that was not run on the image is left out. smallest, attack, after: the least of them,
    whose it is, and what the judge says of that picture. queries: attack -> passes. twin_only: how many attacks found a
    perturbation that the twin takes and the judge does not.
    """

    true: int
    true_label: str
    origin: Shown
    correct: bool
    norm: str
    norms: Mapping[str, float | None]
    smallest: float | None
    attack: str | None
    after: Shown | None
    queries: Mapping[str, Mapping[str, int]]
    gain: float | None
    stems: Mapping[str, str] = field(repr=False)
    images: Mapping[str, Image8] = field(repr=False)

    def __repr__(self) -> str:
        name = Path(self.origin.path).name if self.origin.path else "image"
        if not self.correct:
            return one_line(self, f"{name}: named {self.origin.label}, which is wrong")
        flipped = f"{self.norm} {short_number(self.smallest)} by {self.attack}" if self.attack else "not flipped"
        return one_line(self, f"{name}: {self.true_label}, {flipped}")

    def measured_again(self) -> dict[str, Any]:
        """What the two pictures tell of the smallest norm."""
        found = change_measured_again(self.images)
        return {"smallest": found[self.norm]} if self.norm in found else {}

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "path": self.origin.path, "true": self.true, "true_label": self.true_label, "origin": self.origin.to_dict(),
            "class": self.origin.class_, "label": self.origin.label, "correct": self.correct, "norm": self.norm,
            "norms": dict(self.norms), "smallest": self.smallest, "attack": self.attack,
            "after": None if self.after is None else self.after.to_dict(),
            "queries": {name: dict(counts) for name, counts in self.queries.items()}, "perturbation_gain": self.gain,
        }  # fmt: skip

    def pictures(self) -> dict[str, tuple[str, Image8]]:
        """The origin, and of an image that was flipped the picture of the smallest norm and the perturbation."""
        return {role: (self.stems[role], picture) for role, picture in self.images.items()}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        return cls(
            **{name: document[name] for name in (
                "true", "true_label", "correct", "norm", "norms", "smallest", "attack", "queries"
            )},
            origin=Shown.restore(document["origin"]), gain=document["perturbation_gain"],
            after=None if document["after"] is None else Shown.restore(document["after"]),
            stems={role: Path(name).stem for role, name in document["files"].items()}, images=dict(pictures),
        )  # fmt: skip
