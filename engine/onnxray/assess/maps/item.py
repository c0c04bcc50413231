"""A map together with what was found out about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from numpy.typing import NDArray

from onnxray.images.drawing.page.palette import Palette
from onnxray.methods.saliency.item import MapItem
from onnxray.notebooks.displayed import one_line
from onnxray.results.item import Item


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckedItem(Item):
    """A map (see onnxray.methods.saliency.item) and its figures.

    figures: ``measured`` (what the curves are of), ``insertion`` and ``deletion`` (area, fractions, scores),
    ``pointed_at`` (None without a reference), ``noise`` (mean, max, correlation), ``weights`` (for each layer the rank
    correlation), ``seconds``: those that were asked for.
    """

    map: MapItem
    figures: Mapping[str, Any]

    def __repr__(self) -> str:
        return one_line(self, f"{', '.join(self.figures)} of {self.map!r}")

    def measured_again(self) -> dict[str, Any]:
        """What the map tells."""
        return self.map.measured_again()

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**self.map.numbers(), "figures": self.figures}

    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """The map's."""
        return self.map.pictures()

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """The map's."""
        return self.map.arrays()

    def drawn_in(self, palette: Palette, /) -> Self:
        """The map's."""
        return replace(self, map=self.map.drawn_in(palette))

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        return cls(map=MapItem.restore(document, pictures), figures=document["figures"])
