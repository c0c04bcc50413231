"""What a probe of one layer reaches: how well the labels can be told from the layer's numbers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from numpy.typing import NDArray

from onnxray.methods.features.drawn_item import DrawnItem
from onnxray.methods.features.parts.pooling import Pool
from onnxray.notebooks.displayed import one_line
from onnxray.results.item import of_files


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbeItem(DrawnItem):
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
    numbers_: Mapping[str, NDArray[Any]] = field(repr=False)

    def __repr__(self) -> str:
        right = f"{self.linear['reached']} of {self.linear['count']}"
        return one_line(self, f"{self.layer}: a linear probe is right for {right} ({self.linear['share']:.1%})")

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """Both."""
        return {role: (self.stems[role], array) for role, array in self.numbers_.items()}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        files = of_files({"files": document.get("files", {})}, pictures)
        plain = {name: document[name] for name in cls.plain}
        return cls(**plain, stems=files["stems"], images=files["images"], numbers_=files["arrays_"])
