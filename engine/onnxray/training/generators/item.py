"""What a generator shows of one class or channel, as the judge sees the saved picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.notebooks.displayed import one_line
from onnxray.results.item import Item


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneratedItem(Item):
    """One picture. number, label: the class that was asked for, or the channel. sample: which of its pictures.

    probability: of the class by ONNX Runtime on the 8-bit picture; of a channel its share in the softmax of the means
    of its layer's channels. strongest: what that picture is most: the winning class, or the strongest channel.
    """

    number: int
    label: str
    sample: int
    probability: float
    strongest: int
    strongest_label: str
    stem: str = field(repr=False)
    image: Image8 = field(repr=False)

    def __repr__(self) -> str:
        said = "reached" if self.strongest == self.number else f"it is {self.strongest_label}"
        return one_line(self, f"{self.label}: {self.probability:.4f}, {said}")

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "number": self.number, "label": self.label, "sample": self.sample, "probability": self.probability,
            "strongest": self.strongest, "strongest_label": self.strongest_label,
            "success": self.strongest == self.number,
        }  # fmt: skip

    def pictures(self) -> dict[str, tuple[str, Image8]]:
        """The picture."""
        return {"image": (self.stem, self.image)}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of the document and its picture."""
        names = ("number", "label", "sample", "probability", "strongest", "strongest_label")
        stem = str(document["files"]["image"]).rpartition(".")[0]
        return cls(**{name: document[name] for name in names}, stem=stem, image=pictures["image"])
