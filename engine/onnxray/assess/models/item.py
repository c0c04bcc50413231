"""Two models on one picture: what each says, how far their values lie apart, and their maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.drawing.heat_map import draw_map, draw_overlay
from onnxray.notebooks.displayed import one_line
from onnxray.results.file_names import extended
from onnxray.results.item import Item

_LEAST_SPAN: Final = 0.2
"""Smaller differences of two maps stay pale."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnMap:
    """A map of one of the models over the picture that it saw. shown_at: the number at the end of its scale.

    image: that picture; of what is loaded, which is drawn already, the drawing.
    """

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

    def __repr__(self) -> str:
        name = Path(self.path).name if self.path else "image"
        found = self.compared or {}
        agreed = "" if "agree" not in found else ", the same class" if found["agree"] else ", ANOTHER class"
        rho = "" if self.rank_correlation is None else f", rank correlation of the maps {self.rank_correlation:.3g}"
        return one_line(self, f"{name}: model {self.model} beside the first{agreed}, {len(self.layers)} values{rho}")

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
                if name not in shown:
                    shown[name] = draw_overlay(one.image, one.heat, one.shown_at, signed=one.signed)
        if self.difference is not None and "difference" not in shown:
            shown["difference"] = draw_map(self.difference, self.difference_span, signed=True)
        stems = {role: extended(self.stem, None if role == "image" else self.model, role) for role in shown}
        return {role: (stems[role], picture) for role, picture in shown.items()}

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """``heat-a`` and ``heat-b``: the two maps."""
        if self.maps is None:
            return {}
        return {
            role: (extended(self.stem, self.model, role), one.heat)
            for role, one in zip(("heat-a", "heat-b"), self.maps)
        }

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        a, b = (
            None if stated is None else DrawnMap(heat=pictures[f"heat-{k}"], image=pictures[f"map-{k}"], **stated)
            for k, stated in zip("ab", document["maps"] or (None, None))
        )
        return cls(
            path=document["path"], model=document["model"], said=(document["a"], document["b"]),
            compared=document["compared"], layers=document["layers"], rank_correlation=document["rank_correlation"],
            reason=document["reason"], stem=_stem_in(document["files"]),
            maps=None if a is None or b is None else (a, b),
            difference=None if a is None or b is None else difference_of(a.heat, b.heat),
            images={role: picture for role, picture in pictures.items() if not role.startswith("heat-")},
        )  # fmt: skip


def difference_of(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
    """M_b / max |M_b| - M_a / max |M_a|, in [-2, 2]."""
    return (_share(b) - _share(a)).astype(np.float32)


def _share(heat: NDArray[Any]) -> NDArray[np.float64]:
    largest = float(np.abs(heat).max())
    return np.asarray(heat, np.float64) / (largest or 1.0)


def _stem_in(files: Mapping[str, str]) -> str:
    return files.get("image", "image.png").removesuffix(".png").removesuffix("-image")


def _numbers(one: DrawnMap) -> dict[str, Any]:
    return {"layer": one.layer, "target": one.target, "signed": one.signed, "shown_at": one.shown_at}
