"""One concept at one layer: how much the score goes by it, and whether that can be told from chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onnxray.notebooks.displayed import one_line, short_number
from onnxray.results.file_names import extended
from onnxray.results.item import Item

_PLAIN = (
    "concept", "folder", "layer", "target", "images", "pictures", "score", "spread", "random_score", "random_spread",
    "p_value", "significant", "accuracy", "trials", "reason",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class ConceptItem(Item):
    """A concept at a layer, for a target, over images.

    concept: the folder's name; folder: its path. target: what is explained, in words; images: of how many; pictures:
    how many show the concept. score: the mean over the trials of the share of images whose score rises along the
    concept; spread: its standard deviation over the trials. random_score, random_spread: the same of vectors between
    two sets of random pictures. p_value: that both have one mean; None where nothing varies. significant: below 0.05
    over the number of tests, of a concept that is told from random pictures. accuracy: the mean over the trials, on
    pictures that were held out, 0.5 being chance. scores, random_scores: (trials,). sensitivities: (trials, images),
    dS/da . v.
    """

    concept: str
    folder: str
    layer: str
    target: str
    images: int
    pictures_: int
    score: float
    spread: float
    random_score: float
    random_spread: float
    p_value: float | None
    significant: bool
    accuracy: float
    trials: int
    reason: str | None
    stem: str = field(repr=False)
    scores: NDArray[np.float64] = field(repr=False)
    random_scores: NDArray[np.float64] = field(repr=False)
    sensitivities: NDArray[np.float32] = field(repr=False)

    def __repr__(self) -> str:
        told = "significant" if self.significant else "not told from chance"
        score = f"{short_number(self.score)} ± {short_number(self.spread)}"
        return one_line(self, f"{self.concept} at {self.layer}: {self.target}, score {score}, {told}")

    def measured_again(self) -> dict[str, Any]:
        """What the scores tell, trial by trial: their means."""
        return {"score": float(self.scores.mean()), "random_score": float(self.random_scores.mean())}

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: self.pictures_ if name == "pictures" else getattr(self, name) for name in _PLAIN}

    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """None: the bars of all concepts are one picture of the run."""
        return {}

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """``scores``, ``random-scores`` and ``sensitivities``, trial by trial."""
        found: dict[str, NDArray[Any]] = {
            "scores": self.scores, "random-scores": self.random_scores, "sensitivities": self.sensitivities,
        }  # fmt: skip
        return {role: (extended(self.stem, role), array) for role, array in found.items()}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        same = {name: document[name] for name in _PLAIN if name != "pictures"}
        return cls(
            **same, pictures_=document["pictures"], stem=document["files"]["scores"].removesuffix("-scores.npy"),
            scores=pictures["scores"], random_scores=pictures["random-scores"],
            sensitivities=pictures["sensitivities"],
        )  # fmt: skip
