"""A picture with its nearest neighbours in a layer's space, and those in pixel space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnxray.methods.features.drawn_item import DrawnItem
from onnxray.notebooks.displayed import one_line, short_number


@dataclass(frozen=True, kw_only=True, eq=False)
class NeighborsItem(DrawnItem):
    """A query. place: among the pictures that could be read. label: as stated, None where there is none.

    neighbors, pixel_neighbors: the nearest first, each ``path``, ``distance`` and ``label``, in the layer's space and
    in that of pixels. duplicate_of: paths of those that are near in both. reason: why there are fewer than were asked
    for.
    images: ``query``, ``neighbors`` and ``pixel-neighbors``, side by side in each, where they are drawn.
    """

    plain = (
        "path",
        "place",
        "layer",
        "metric",
        "label",
        "neighbors",
        "pixel_neighbors",
        "duplicate_of",
        "reason",
    )

    path: str | None
    place: int
    layer: str
    metric: str
    label: str | None
    neighbors: Sequence[Mapping[str, Any]]
    pixel_neighbors: Sequence[Mapping[str, Any]]
    duplicate_of: Sequence[str | None]
    reason: str | None

    def __repr__(self) -> str:
        nearest = "none" if not self.neighbors else str(self.neighbors[0]["path"])
        far = "" if not self.neighbors else f" at {short_number(self.neighbors[0]['distance'])}"
        return one_line(self, f"{self.path} at {self.layer}: nearest of {len(self.neighbors)} is {nearest}{far}")
