"""Origins, targets and what came of them as they are saved, and what the judge says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.graph.classifier.predictions import Predictions
from onnxray.images.distances import l2, linf
from onnxray.methods.variable import Variable


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An image as the judge sees it: the winning class, its label, its score before the softmax and probability.

    None of them where the model is no classifier.
    """

    path: str | None
    class_: int | None
    label: str | None
    score: float | None
    probability: float | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "path": self.path, "class": self.class_, "label": self.label,
            "score": self.score, "probability": self.probability,
        }  # fmt: skip

    @classmethod
    def restore(cls, document: Mapping[str, Any]) -> Self:
        """From JSON."""
        return cls(class_=document["class"], **{n: document[n] for n in ("path", "label", "score", "probability")})


def change_measured_again(images: Mapping[str, Image8]) -> dict[str, Any]:
    """L2 and Linf of what was done to a saved picture; nothing where there are not both, before and after.

    Errors: ValueError for pictures of two sizes.
    """
    if not {"image", "origin"} <= images.keys():
        return {}
    image, origin = images["image"], images["origin"]
    if image.shape != origin.shape:
        raise ValueError(f"image and origin are of the shapes {image.shape} and {origin.shape}")
    return {"l2": l2(image, origin), "linf": linf(image, origin)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Shots:
    """Images as the judge sees them, 8-bit NCHW, or arrays in rows; where they came from, and its predictions of them,
    of a classifier.
    """

    images: NDArray[Any]
    names: tuple[str | None, ...]
    predictions: Predictions | None

    @property
    def said(self) -> Predictions:
        """The predictions, where classes are asked for; who asks has refused what is no classifier."""
        assert self.predictions is not None
        return self.predictions

    @classmethod
    def of(cls, variable: Variable) -> Shots:
        """Round as it is saved, and classify."""
        fed = variable.fed(variable.start, np.arange(len(variable)))
        return cls(images=variable.start, names=variable.samples.names, predictions=variable.verdict(fed))

    def shown(self, index: int) -> Shown:
        """One image of the batch as the judge sees it."""
        said = None if self.predictions is None else self.predictions.row(index)
        return Shown(
            path=self.names[index], class_=None if said is None else said.class_,
            label=None if said is None else said.label, score=None if said is None else said.score,
            probability=None if said is None else said.probability,
        )  # fmt: skip
