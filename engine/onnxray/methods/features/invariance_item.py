"""How much a layer's code moves with one factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnxray.methods.features.drawn_item import DrawnItem
from onnxray.notebooks.displayed import one_line


@dataclass(frozen=True, kw_only=True, eq=False)
class InvarianceItem(DrawnItem):
    """A layer and a factor, over pictures.

    levels: of the factor, in ``unit``; own: that of the picture itself, None of pairs. moved: at each level how far the
    code is from the picture's own, 1 being as far as that of another picture; relative: as a share of its own length.
    shares: of the code's variance, ``factor``, ``picture`` and ``interaction``. equivariance: ``level``, ``r2`` of a
    linear map of the code that follows the factor there, on held-out pictures, and ``unchanged_r2``, of no map at all.
    pairs: of the user's own, each ``before``, ``after``, ``moved``. What could not be had is None, with a ``reason``.
    images: ``levels``: the first picture at every level, at the first layer.
    """

    plain = (
        "layer",
        "factor",
        "unit",
        "levels",
        "own",
        "moved",
        "relative",
        "shares",
        "equivariance",
        "pictures_seen",
        "pairs",
        "reason",
    )

    layer: str
    factor: str
    unit: str
    levels: Sequence[float]
    own: float | None
    moved: Sequence[float] | None
    relative: Sequence[float] | None
    shares: Mapping[str, float] | None
    equivariance: Mapping[str, Any] | None
    pictures_seen: int
    pairs: Sequence[Mapping[str, Any]] | None
    reason: str | None

    def __repr__(self) -> str:
        most = "not known" if not self.moved else f"{max(self.moved):.2g} at most"
        return one_line(self, f"{self.layer} by {self.factor}: moved {most}, over {self.pictures_seen} pictures")
