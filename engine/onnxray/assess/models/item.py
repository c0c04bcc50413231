"""Two models on one picture: what each says, how far their values lie apart, and their maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.drawing.heat_map import draw_map, draw_overlay
from onnxray.results.item import Item

_LEAST_SPAN: Final = 0.2
"""Smaller differences of two maps stay pale."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnMap:
    """A map of one of the models over the picture that it saw. shown_at: the number at the end of its scale."""

    heat: NDArray[Any]
    image: Image8
    shown_at: float
    signed: bool
    layer: str | None = None
    target: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelsItem(Item):
    """What two models make of one picture.

    model: which stands beside the first: 2 is the second that was given. said: what each says. compared: how far these
    lie apart, None where they cannot be compared. layers: a table a pair of values, as in ``layer_errors.py``.
    rank_correlation: of the two maps, None with a ``reason`` where there are none. difference: of the maps, each by its
    own largest number.
    """

    path: str | None
    model: int
    said: tuple[Mapping[str, Any], Mapping[str, Any]]
    compared: Mapping[str, Any] | None
    layers: Sequence[Mapping[str, Any]]
    rank_correlation: float | None = None
    reason: str | None = None
    stem: str = field(default="image", repr=False)
    maps: tuple[DrawnMap, DrawnMap] | None = field(default=None, repr=False)
    difference: NDArray[Any] | None = field(default=None, repr=False)
    images: Mapping[str, Image8] = field(default_factory=dict, repr=False)
    """Pictures as they are saved, by role; drawn from the maps where there are some."""

    @property
    def difference_span(self) -> float:
        """The end of the scale that the difference is drawn in: its largest number, at least a fifth."""
        return max(_LEAST_SPAN, 0.0 if self.difference is None else float(abs(self.difference).max()))

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "path": self.path, "model": self.model, "a": dict(self.said[0]), "b": dict(self.said[1]),
            "compared": self.compared, "layers": list(self.layers), "rank_correlation": self.rank_correlation,
            "reason": self.reason, "maps": None if self.maps is None else [_numbers(one) for one in self.maps],
        }  # fmt: skip

    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """``image``; of maps ``map-a`` and ``map-b`` over what each model saw, and ``difference``, b less a."""
        shown: dict[str, NDArray[Any]] = dict(self.images)
        if self.maps is not None:
            for name, one in zip(("map-a", "map-b"), self.maps):
                shown[name] = draw_overlay(one.image, one.heat, one.shown_at, signed=one.signed)
        if self.difference is not None:
            shown["difference"] = draw_map(self.difference, self.difference_span, signed=True)
        stems = {role: self.stem if role == "image" else f"{self.stem}-{self.model}-{role}" for role in shown}
        return {role: (stems[role], picture) for role, picture in shown.items()}

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """``heat-a`` and ``heat-b``: the two maps."""
        if self.maps is None:
            return {}
        return {
            role: (f"{self.stem}-{self.model}-{role}", one.heat) for role, one in zip(("heat-a", "heat-b"), self.maps)
        }

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        return cls(
            path=document["path"], model=document["model"], said=(document["a"], document["b"]),
            compared=document["compared"], layers=document["layers"], rank_correlation=document["rank_correlation"],
            reason=document["reason"], stem=document["files"].get("image", "image.png").removesuffix(".png"),
            images={role: picture for role, picture in pictures.items() if not role.startswith("heat-")},
        )  # fmt: skip


def _numbers(one: DrawnMap) -> dict[str, Any]:
    return {"layer": one.layer, "target": one.target, "signed": one.signed, "shown_at": one.shown_at}
