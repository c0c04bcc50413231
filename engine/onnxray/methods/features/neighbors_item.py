"""A picture with its nearest neighbours in a layer's space, and those in pixel space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onnxray.notebooks.displayed import one_line, short_number
from onnxray.results.item import Item

_PLAIN = ("path", "place", "layer", "metric", "label", "neighbors", "pixel_neighbors", "duplicate_of", "reason")


@dataclass(frozen=True, kw_only=True, eq=False)
class NeighborsItem(Item):
    """A query. place: among the pictures that could be read. label: as stated, None where there is none.

    neighbors, pixel_neighbors: the nearest first, each ``path``, ``distance`` and ``label``, in the layer's space and
    in that of pixels. duplicate_of: paths of those that are near in both. reason: why there are fewer than were asked
    for.
    """

    path: str | None
    place: int
    layer: str
    metric: str
    label: str | None
    neighbors: Sequence[Mapping[str, Any]]
    pixel_neighbors: Sequence[Mapping[str, Any]]
    duplicate_of: Sequence[str | None]
    reason: str | None
    stems: Mapping[str, str] = field(repr=False)
    images: Mapping[str, NDArray[np.uint8]] = field(repr=False)

    def __repr__(self) -> str:
        nearest = "none" if not self.neighbors else str(self.neighbors[0]["path"])
        far = "" if not self.neighbors else f" at {short_number(self.neighbors[0]['distance'])}"
        return one_line(self, f"{self.path} at {self.layer}: nearest of {len(self.neighbors)} is {nearest}{far}")

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: getattr(self, name) for name in _PLAIN}

    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """``query``, ``neighbors`` and ``pixel-neighbors``, side by side in each, where they are drawn."""
        return {role: (self.stems[role], image) for role, image in self.images.items()}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        stems = {role: str(name).removesuffix(".png") for role, name in document.get("files", {}).items()}
        return cls(**{name: document[name] for name in _PLAIN}, stems=stems, images=dict(pictures))
