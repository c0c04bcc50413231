"""What a channel looks for: the parts of pictures that activate it most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from numpy.typing import NDArray

from onnxray.notebooks.displayed import one_line, short_number
from onnxray.results.item import Item

_PLAIN = (
    "layer", "channel", "receptive_field", "patches", "mean", "largest", "pictures_seen", "picture", "reason",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchesItem(Item):
    """A channel of a layer.

    receptive_field: ``size``, ``step`` and ``offset`` of its units, rows before columns; null with a ``reason`` where
    they see the whole picture; ``effective``: the side of a square of what really counts, with an
    ``effective_reason`` where there is none. patches: the strongest first, each ``path``, ``value``, ``place`` (row
    and column of the unit in the layer), ``box`` (top, left, bottom, right of what it sees, in pixels at the model's
    size).
    mean: of the channel over all pictures and places; largest: of all. picture: what stands beside the patches
    (deconvnet, guided, gradient, none).
    """

    layer: str
    channel: int
    receptive_field: Mapping[str, Any]
    patches: Sequence[Mapping[str, Any]]
    mean: float
    largest: float
    pictures_seen: int
    picture: str
    reason: str | None
    stems: Mapping[str, str] = field(repr=False)
    images: Mapping[str, NDArray[Any]] = field(repr=False)

    def __repr__(self) -> str:
        size = self.receptive_field["size"]
        sees = "the whole picture" if size is None else f"{size[0]} x {size[1]} pixels"
        return one_line(self, f"{self.layer}:{self.channel}: largest {short_number(self.largest)}, sees {sees}")

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: getattr(self, name) for name in _PLAIN}

    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """``patches``, ``gradients`` and ``whole``, a grid each; ``effective-field`` for a layer's first channel."""
        return {role: (self.stems[role], image) for role, image in self.images.items()}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        stems = {role: str(name).removesuffix(".png") for role, name in document.get("files", {}).items()}
        return cls(**{name: document[name] for name in _PLAIN}, stems=stems, images=dict(pictures))
