"""What a channel looks for: the parts of pictures that activate it most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnxray.methods.features.drawn_item import DrawnItem
from onnxray.notebooks.displayed import one_line, short_number


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchesItem(DrawnItem):
    """A channel of a layer.

    receptive_field: ``size``, ``step`` and ``offset`` of its units, rows before columns; null with a ``reason`` where
    they see the whole picture; ``effective``: the side of a square of what really counts, with an
    ``effective_reason`` where there is none. patches: the strongest first, each ``path``, ``value``, ``place`` (row
    and column of the unit in the layer), ``box`` (top, left, bottom, right of what it sees, in pixels at the model's
    size).
    mean: of the channel over all pictures and places; largest: of all. picture: what stands beside the patches
    (deconvnet, guided, gradient, none).
    images: ``patches``, ``gradients`` and ``whole``, a grid each; ``effective-field`` for a layer's first channel.
    """

    plain = (
        "layer",
        "channel",
        "receptive_field",
        "patches",
        "mean",
        "largest",
        "pictures_seen",
        "picture",
        "reason",
    )

    layer: str
    channel: int
    receptive_field: Mapping[str, Any]
    patches: Sequence[Mapping[str, Any]]
    mean: float
    largest: float
    pictures_seen: int
    picture: str
    reason: str | None

    def __repr__(self) -> str:
        size = self.receptive_field["size"]
        sees = "the whole picture" if size is None else f"{size[0]} x {size[1]} pixels"
        return one_line(self, f"{self.layer}:{self.channel}: largest {short_number(self.largest)}, sees {sees}")
