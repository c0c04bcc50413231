"""How stable a map is under small noise: sensitivity in the manner of Yeh et al. 2019 (arXiv 1901.09392).

    d_i = ||M(x + e_i) - M(x)|| / ||M(x)||,  e_i uniform in [-r, r];   reported: mean and max of d_i

and the mean rank correlation of the two. The target stays that of x; pixels stay in [0, 255].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.assess.maps.rank_correlation import rank_correlation
from onnxray.images.pixels import Pixels

Heat = NDArray[np.floating[Any]]


def stability(
    maps: Callable[[Pixels], list[dict[str | None, Heat]]],
    pixels: Pixels,
    heats: dict[str | None, Heat],
    *,
    copies: int = 10,
    level: float = 5.0,
    random: np.random.Generator,
) -> dict[str | None, dict[str, Any]]:
    """Layer -> the numbers of the map there, of one image (``pixels`` holds one row).

    maps: gives the maps of noisy copies, by layer. level: r in grey levels; for samples that are no images, of their
    own range taken as 255. A map that is zero everywhere, and a sample of integers, have no numbers but a ``reason``.
    """
    sample = pixels.array[0]
    if sample.dtype.kind != "f":
        said = {
            "mean": None,
            "max": None,
            "correlation": None,
            "reason": f"noise does not fit samples of {sample.dtype}",
        }
        return dict.fromkeys(heats, said)
    low, high = (float(sample.min()), float(sample.max())) if pixels.plain else (0.0, 255.0)
    radius = level * (high - low) / 255
    noise = random.uniform(-radius, radius, (copies, *sample.shape))
    noisy = np.clip(sample + noise, low, high).astype(sample.dtype)
    found = maps(pixels.rows(np.zeros(copies, np.int64)).replaced(noisy))
    return {layer: compared(heat, [heats_[layer] for heats_ in found]) for layer, heat in heats.items()}


def compared(heat: Heat, others: list[Heat]) -> dict[str, Any]:
    """The numbers of one map against those of the copies."""
    norm = float(np.linalg.norm(heat.astype(np.float64)))
    if norm == 0 or not others:
        return {"mean": None, "max": None, "correlation": None, "reason": "the map is zero everywhere"}
    changes = [float(np.linalg.norm(other.astype(np.float64) - heat)) / norm for other in others]
    correlations = [rank_correlation(np.abs(heat), np.abs(other)) for other in others]
    known = [value for value in correlations if value is not None]
    return {
        "mean": float(np.mean(changes)), "max": max(changes),
        "correlation": float(np.mean(known)) if len(known) == len(correlations) else None,
        "reason": None if len(known) == len(correlations) else "a map is flat and orders nothing",
    }  # fmt: skip
