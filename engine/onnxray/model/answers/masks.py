"""The class at each place of a picture, and each class's share of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.graph.classifier.class_words import class_words
from onnxray.graph.outputs.facts import OutputFacts, OutputKind
from onnxray.model.answers.answer import NoClasses

_HALF = 0.5
_SHOWN = 5
NOWHERE = -1
"""The class of a place where no class is above a half."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Mask(NoClasses):
    """``classes`` (N, H, W): the class that wins at each place; ``shares`` (N, K): the part of the places it wins.

    Where a sigmoid closes each class by itself, a share is the part of the places where it is above a half, and a place
    where none is has the class -1; of one such class 1 is inside and 0 outside.
    """

    output: str
    classes: NDArray[np.int64]
    shares: NDArray[np.float64]
    labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    kind: OutputKind = "mask"

    def __len__(self) -> int:
        return len(self.classes)

    def label(self, index: int) -> str:
        """A class in words, else its number."""
        fits = self.labels is not None and len(self.labels) == self.shares.shape[1]
        return self.labels[index] if self.labels is not None and fits else str(index)

    def describe(self, index: int) -> str:
        """One line for a sample."""
        own = self.shares[index]
        order = [int(k) for k in np.argsort(-own, kind="stable")[:_SHOWN] if own[k] > 0]
        said = ((f"class {k}" if self.label(k) == str(k) else self.label(k), own[k]) for k in order)
        return ", ".join(f"{label} {share:.1%}" for label, share in said) or "no class anywhere"

    def numbers(self, index: int) -> dict[str, Any]:
        """Plain values for JSON."""
        own = self.shares[index]
        present = [k for k in range(len(own)) if own[k] > 0]
        shares = [{"class": k, "label": self.label(k), "share": float(own[k])} for k in present]
        return {"size": list(self.classes.shape[1:]), "shares": shares}


def mask(
    facts: OutputFacts, array: Array, labels: tuple[str, ...] | None, *, sigmoid: bool, notes: tuple[str, ...] = ()
) -> Mask:
    """Read a mask from an output: scores of classes along ``facts.axis``, or the classes themselves.

    sigmoid: it closes each class by itself. Errors: InputError for an array of another shape; ProfileError for labels
    that are not one a class.
    """
    if facts.axis is None or array.dtype.kind in "iub":
        return _of_classes(facts, array, labels, notes)
    if array.ndim != 4:
        raise InputError(f"output {facts.name!r} has the shape {list(array.shape)}; a mask has four axes")
    scores = np.moveaxis(np.asarray(array, np.float64), facts.axis, 1)
    count = scores.shape[1]
    if count == 1:
        least = _HALF if sigmoid else 0.0
        inside = (scores[:, 0] > least).astype(np.int64)
        share = inside.reshape(len(inside), -1).mean(1)
        said = () if sigmoid else ("nothing closes the mask: what is above 0 is taken to be inside",)
        return Mask(
            output=facts.name, classes=inside, shares=np.stack([1 - share, share], axis=1), labels=labels,
            notes=(*notes, *said),
        )  # fmt: skip
    labels = class_words(labels, facts.name, count)
    winner = scores.argmax(1)
    if sigmoid:
        shares = (scores > _HALF).reshape(len(scores), count, -1).mean(2)
        winner = np.where(scores.max(1) > _HALF, winner, NOWHERE)
    else:
        shares = np.stack([(winner == k).reshape(len(winner), -1).mean(1) for k in range(count)], axis=1)
    return Mask(output=facts.name, classes=winner.astype(np.int64), shares=shares, labels=labels, notes=notes)


def _of_classes(facts: OutputFacts, array: Array, labels: tuple[str, ...] | None, notes: tuple[str, ...]) -> Mask:
    classes = np.asarray(array).astype(np.int64)
    if classes.ndim == 4:
        classes = classes.reshape(len(classes), *(side for side in classes.shape[1:] if side != 1))
    if classes.ndim != 3:
        raise InputError(f"output {facts.name!r} has the shape {list(array.shape)}; a class a place was expected")
    count = max(int(classes.max(initial=0)) + 1, len(labels or ()))
    flat = classes.reshape(len(classes), -1)
    shares = np.stack([(flat == k).mean(1) for k in range(count)], axis=1)
    return Mask(output=facts.name, classes=classes, shares=shares, labels=labels, notes=notes)
