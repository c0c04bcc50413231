"""The figures of many images as one table: mean and median, for each method and layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onnxray.assess.maps.item import CheckedItem

# Name in the table -> where it stands among the figures.
_FIGURES: Mapping[str, tuple[str, ...]] = {
    "insertion": ("insertion", "area"),
    "deletion": ("deletion", "area"),
    "pointed_at": ("pointed_at",),
    "noise_mean": ("noise", "mean"),
    "noise_max": ("noise", "max"),
    "noise_correlation": ("noise", "correlation"),
    "seconds": ("seconds",),
}


def summarize(items: Sequence[CheckedItem]) -> list[dict[str, Any]]:
    """One entry for each method and layer, in order: figure -> mean, median and count over the images.

    Only numbers that could be had are counted. ``weights``: the same for each layer whose weights were drawn anew.
    """
    groups: dict[tuple[str, str | None], list[CheckedItem]] = {}
    for item in items:
        groups.setdefault((item.map.method, item.map.layer), []).append(item)
    return [
        {
            "method": method, "layer": layer, "images": len(group),
            **{name: found for name in _FIGURES if (found := spread([figure(item, name) for item in group]))},
            **_weights(group),
        }
        for (method, layer), group in groups.items()
    ]  # fmt: skip


def figure(item: CheckedItem, name: str) -> float | None:
    """One number of a map's figures; None where it was not asked for or could not be had."""
    found: Any = item.figures
    for key in _FIGURES[name]:
        found = found.get(key) if isinstance(found, Mapping) else None
    return None if found is None else float(found)


def _weights(group: Sequence[CheckedItem]) -> dict[str, Any]:
    layers: dict[str, list[float | None]] = {}
    for item in group:
        for entry in item.figures.get("weights", ()):
            layers.setdefault(entry["layer"], []).append(entry["correlation"])
    empty = {"mean": None, "median": None, "count": 0}
    found = [{"layer": layer, **(spread(values) or empty)} for layer, values in layers.items()]
    return {"weights": found} if found else {}


def spread(values: Sequence[float | None]) -> dict[str, Any] | None:
    """Mean, median and count of the numbers that could be had; None where there are none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {"mean": float(np.mean(known)), "median": float(np.median(known)), "count": len(known)}
