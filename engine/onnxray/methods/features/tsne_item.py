"""A map of a layer's codes: where each picture lies on it, its nearest in the original space, and how true it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onnxray.methods.features.drawn_item import MeasuredItem
from onnxray.notebooks.displayed import one_line, short_number


@dataclass(frozen=True, kw_only=True, eq=False)
class TsneItem(MeasuredItem):
    """A layer. numbers_each: how many numbers a code has. made_by: library and version; divergence: what it minimises.

    trustworthiness, continuity: of ``quality_of`` pictures, 1 at best. labelled_by: ``labels`` or ``predictions``.
    accuracy: share of pictures whose majority of ``k`` nearest has their label, in the ``original`` space and on the
    ``map``. What could not be had is null, with a ``reason``.
    images: ``thumbnails``, ``columns`` of them side by side; of all layers the same.
    numbers_: ``positions`` (n, 2), ``neighbors`` and ``distances`` (n, k) in the original space, the nearest first, and
    ``codes`` where they are exported. Pictures are those of the result's ``points``, in their order.
    """

    plain = (
        "layer", "pictures_seen", "numbers_each", "metric", "perplexity", "k", "made_by", "divergence",
        "trustworthiness", "continuity", "quality_of", "labelled_by", "accuracy", "columns", "reason",
    )  # fmt: skip

    layer: str
    pictures_seen: int
    numbers_each: int
    metric: str
    perplexity: float
    k: int
    made_by: str
    divergence: float | None
    trustworthiness: float | None
    continuity: float | None
    quality_of: int
    labelled_by: str | None
    accuracy: Mapping[str, float] | None
    columns: int
    reason: str | None

    def __repr__(self) -> str:
        true = "not known" if self.trustworthiness is None else short_number(self.trustworthiness)
        return one_line(self, f"{self.layer}: map of {self.pictures_seen} pictures, trustworthiness {true}")
