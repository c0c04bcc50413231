"""What the picture and the page of maps of codes share."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.features.tsne_item import TsneItem

CATEGORIES: Final = (
    "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#8b6f47", "#8a8a8a", "#a8b400", "#7b4ab5",
)  # fmt: skip
"""Colours of classes, in their order; from the eleventh class on they come again."""


def quality_words(item: TsneItem) -> list[str]:
    """What tells whether a map can be believed, in words."""
    found = [
        f"{name} {value:.3f}" for name, value in
        (("trustworthiness", item.trustworthiness), ("continuity", item.continuity)) if value is not None
    ]  # fmt: skip
    if item.accuracy is not None:
        by = "label" if item.labelled_by == "labels" else "predicted class"
        found.append(
            f"the majority of {item.k} nearest has the {by} of {item.accuracy['original']:.1%} in the layer, of "
            f"{item.accuracy['map']:.1%} on the map"
        )
    return found


def unpacked(item: TsneItem) -> NDArray[np.uint8]:
    """The thumbnails one by one, (n, channels, height, width)."""
    sheet = item.images["thumbnails"]
    rows = -(-item.pictures_seen // item.columns)
    channels, high, wide = sheet.shape[0], sheet.shape[1] // rows, sheet.shape[2] // item.columns
    grid = sheet.reshape(channels, rows, high, item.columns, wide).transpose(1, 3, 0, 2, 4)
    return np.ascontiguousarray(grid.reshape(-1, channels, high, wide)[: item.pictures_seen])


def in_square(positions: NDArray[Any]) -> NDArray[np.float64]:
    """Positions, the same scale both ways, so that the longer side is from 0 to 1 and the other in its middle."""
    found = np.asarray(positions, np.float64)
    least, most = found.min(0), found.max(0)
    side = max(float((most - least).max()), 1e-12)
    return np.asarray((found - (least + most) / 2) / side + 0.5)
