"""Layer stability: over many images, the smallest perturbation per layer that reaches the goal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.methods.lots.item import LotsItem

Quartiles = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class LayerSummary:
    """One layer over all images: quartiles and median, an image that did not reach the goal counted as worst.

    l2, linf: in grey levels, infinity where unreached. similarity: PASS, minus infinity where unreached; None where the
    images are too small for it.
    """

    layer: str
    count: int
    share_reached: float
    l2: Quartiles
    linf: Quartiles
    similarity: Quartiles | None
    points: tuple[tuple[float, float, float | None], ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: null where a quartile is not reached, with the reason beside it."""
        reason = None
        if any(not np.isfinite(q) for q in (*self.l2, *self.linf, *(self.similarity or ()))):
            reason = "a null quartile is infinite: that share of the images does not reach the goal"
        return {
            "layer": self.layer,
            "images": self.count,
            "share_reached": self.share_reached,
            **{name: _named(getattr(self, name)) for name in ("l2", "linf")},
            "pass": None if self.similarity is None else _named(self.similarity),
            "reason": reason,
        }


def summarize(items: Iterable[LotsItem]) -> tuple[LayerSummary, ...]:
    """Summarise items by layer, in the order in which the layers come."""
    by_layer: dict[str, list[LotsItem]] = {}
    for item in items:
        by_layer.setdefault(item.layer, []).append(item)
    return tuple(_summary(layer, found) for layer, found in by_layer.items())


def _summary(layer: str, items: list[LotsItem]) -> LayerSummary:
    def measured(read: Callable[[LotsItem], float], unreached: float) -> list[float]:
        return [read(item) if item.success else unreached for item in items]

    l2 = measured(lambda item: item.l2, np.inf)
    linf = measured(lambda item: item.linf, np.inf)
    known = all(item.similarity is not None for item in items)
    scores = measured(lambda item: item.similarity.score if item.similarity else np.nan, -np.inf) if known else None
    return LayerSummary(
        layer=layer,
        count=len(items),
        share_reached=sum(item.success for item in items) / len(items),
        l2=_quartiles(l2),
        linf=_quartiles(linf),
        similarity=None if scores is None else _quartiles(scores),
        points=tuple(zip(l2, linf, scores if scores is not None else [None] * len(items))),
    )


def _quartiles(numbers: list[float]) -> Quartiles:
    low, middle, high = (quantile_with_infinities(numbers, q) for q in (0.25, 0.5, 0.75))
    return low, middle, high


def _named(quartiles: Quartiles) -> dict[str, float | None]:
    names = ("quartile_1", "median", "quartile_3")
    return {name: float(q) if np.isfinite(q) else None for name, q in zip(names, quartiles)}


def quantile_with_infinities(values: Sequence[float] | NDArray[Any], q: float) -> float:
    """Q(q) = v_i + (p - i)(v_(i+1) - v_i) with p = q (n - 1), i = floor(p), v the values in ascending order.

    numpy's default definition, except that it stays right among infinities: infinite where a value that is needed is
    infinite, and never NaN. So an aim that was not reached, counted as infinity, keeps its weight. InputError for no
    values, NaN, infinities of both signs, and q outside [0, 1].
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if ordered.size == 0 or np.isnan(ordered).any():
        raise InputError(f"a quantile needs numbers, at least one and no NaN; got {ordered.tolist()[:5]}")
    if np.isneginf(ordered[0]) and np.isposinf(ordered[-1]):
        raise InputError("no quantile between infinities of both signs: give what was not reached one sign")
    if not 0.0 <= q <= 1.0:
        raise InputError(f"a quantile is asked for at {q}; expected between 0 and 1")
    position = q * (ordered.size - 1)
    # 0.28 * 25 is 7.000000000000001: without this the infinite neighbour of an exact rank would be taken in.
    if abs(position - round(position)) < 1e-9:
        return float(ordered[round(position)])
    lower, upper = float(ordered[math.floor(position)]), float(ordered[math.ceil(position)])
    if math.isinf(lower) or math.isinf(upper):
        return lower if math.isinf(lower) else upper
    return lower + (position - math.floor(position)) * (upper - lower)
