"""What a learned inversion gives of one held-out picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.notebooks.displayed import one_line
from onnxray.results.item import Item, of_files


@dataclass(frozen=True, kw_only=True, eq=False)
class InvertedItem(Item):
    """A picture and what its code was turned back into. image_error: their distance over the mean distance of pictures.

    code_error: |phi(f(phi(x))) - phi(x)| / |phi(x)| by ONNX Runtime on the 8-bit picture.
    """

    path: str | None
    layer: str
    image_error: float
    code_error: float
    stems: Mapping[str, str] = field(repr=False)
    images: Mapping[str, Image8] = field(repr=False)

    def __repr__(self) -> str:
        name = Path(self.path).name if self.path else "image"
        return one_line(self, f"{name} from {self.layer}: normalised image error {self.image_error:.3f}")

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "path": self.path, "layer": self.layer, "image_error": self.image_error, "code_error": self.code_error
        }  # fmt: skip

    def pictures(self) -> dict[str, tuple[str, Image8]]:
        """The picture, and what came of its code."""
        return {role: (self.stems[role], picture) for role, picture in self.images.items()}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of the document and its pictures."""
        own = {name: document[name] for name in ("path", "layer", "image_error", "code_error")}
        files = of_files(document, pictures)
        return cls(**own, stems=files["stems"], images=files["images"])
