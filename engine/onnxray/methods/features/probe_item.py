"""What a probe of one layer reaches: how well the labels can be told from the layer's numbers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnxray.methods.features.drawn_item import MeasuredItem
from onnxray.methods.features.parts.pooling import Pool
from onnxray.notebooks.displayed import one_line


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbeItem(MeasuredItem):
    """A layer. numbers_each: of a picture, after pooling. classes: the labels, in the order of the weights' rows.

    learned_from, tested_on: how many pictures; folds: in how many parts all were tested, None of one split.
    strength: C of the probe in ``weights``; validation: ``loss`` and ``accuracy`` of pictures left out, by which C and
    the best layer are chosen. linear, nearest: of the tested pictures ``count``, ``reached`` (right), ``share`` and
    Wilson's ``interval``. chance: of always saying the most frequent class. wrong: of the linear probe, each ``path``,
    ``label`` and ``said``.
    numbers_: ``weights`` (classes, numbers) and ``bias`` of the linear probe.
    """

    plain = (
        "layer", "pool", "numbers_each", "classes", "learned_from", "tested_on", "folds", "strength", "validation",
        "linear", "nearest", "k", "chance", "wrong", "reason",
    )  # fmt: skip

    layer: str
    pool: Pool
    numbers_each: int
    classes: Sequence[str]
    learned_from: int
    tested_on: int
    folds: int | None
    strength: float
    validation: Mapping[str, float] | None
    linear: Mapping[str, Any]
    nearest: Mapping[str, Any]
    k: int
    chance: float
    wrong: Sequence[Mapping[str, Any]]
    reason: str | None

    def __repr__(self) -> str:
        right = f"{self.linear['reached']} of {self.linear['count']}"
        return one_line(self, f"{self.layer}: a linear probe is right for {right} ({self.linear['share']:.1%})")
