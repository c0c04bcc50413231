"""A layer of one model beside a layer of another, by how they arrange the same pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from numpy.typing import NDArray

from onnxray.notebooks.displayed import one_line, short_number
from onnxray.results.item import Item


@dataclass(frozen=True, kw_only=True, eq=False)
class SimilarityItem(Item):
    """layer, other_layer: of the first and of the second model. matched_by: ``name``, ``position``, or ``cka`` where
    the two are different networks and this layer of the second is the most alike.

    cka: without bias, 1 for the same. mutual_neighbors: the share of a picture's nearest that are its nearest in both.
    procrustes: from 0 to 1. What could not be had is null, with a ``reason``.
    """

    layer: str
    other_layer: str
    matched_by: str
    pictures_seen: int
    cka: float | None
    mutual_neighbors: float | None
    procrustes: float | None
    reason: str | None

    def __repr__(self) -> str:
        alike = "not known" if self.cka is None else short_number(self.cka)
        return one_line(self, f"{self.layer} beside {self.other_layer}: CKA {alike}")

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """None: all of it is one picture of the run."""
        return {}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json."""
        return cls(**{one.name: document[one.name] for one in fields(cls)})
