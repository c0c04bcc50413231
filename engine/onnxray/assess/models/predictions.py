"""What two models say of the same pictures, side by side; what can be compared is told first.

Classes are compared where both give one score a class, for as many classes, of the same names where both state names;
numbers of another kind (a regression, an embedding) where both are of one kind and size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onnxray.graph.classifier.predictions import Predictions
from onnxray.graph.outputs.facts import CLASS_KINDS
from onnxray.model.answers.numbers import Embedding, Numbers
from onnxray.model.model import Model


def answers_apart(a: Any, b: Any, models: tuple[Model, Model], names: tuple[str, str]) -> str | None:
    """Why the answers of two models cannot be compared; None where they can."""
    kinds = tuple("classes" if one.kind in CLASS_KINDS else one.kind for one in (a, b))
    if kinds[0] != kinds[1]:
        return f"predictions are not compared: {names[0]} gives {kinds[0]}, {names[1]} {kinds[1]}"
    if isinstance(a, Predictions) and isinstance(b, Predictions):
        counts = [one.probabilities.shape[1] for one in (a, b)]
        if counts[0] != counts[1]:
            return f"predictions are not compared: {names[0]} has {counts[0]} classes, {names[1]} {counts[1]}"
        labels = [model.answering.labels for model in models]
        if None not in labels and labels[0] != labels[1]:
            other = next(k for k in range(counts[0]) if models[0].label(k) != models[1].label(k))
            return (
                f"predictions are not compared: class {other} is {models[0].label(other)!r} for {names[0]} and "
                f"{models[1].label(other)!r} for {names[1]}; --labels states one list for both"
            )
        return None
    if isinstance(a, Numbers | Embedding) and isinstance(b, Numbers | Embedding):
        sizes = [one.values.shape[1:] for one in (a, b)]
        if sizes[0] != sizes[1]:
            return f"predictions are not compared: of shape {list(sizes[0])} and {list(sizes[1])}"
        return None
    return f"predictions are not compared: there is no measure for two outputs of the kind {kinds[0]}"


def compared(model: Model, a: Any, b: Any, row: int, top: int) -> dict[str, Any]:
    """What two comparable answers say of one picture, and how far they lie apart.

    Classes: the winners, ``agree``, the ``top`` of both, and the class whose probability changes most, with it.
    Others: ``largest`` and ``relative`` difference and ``cosine`` as of layers.
    """
    if not isinstance(a, Predictions):
        from onnxray.assess.models.layer_errors import errors

        return {"kind": a.kind, **errors(a.values[row], b.values[row])}
    change = b.probabilities[row] - a.probabilities[row]
    most = int(np.abs(change).argmax())
    return {
        "kind": "classes",
        "agree": bool(a.classes[row] == b.classes[row]),
        "same_top": len({*_ranked(a, row, top)} & {*_ranked(b, row, top)}),
        "largest_change": {
            "class": most, "label": model.label(most), "before": float(a.probabilities[row, most]),
            "after": float(b.probabilities[row, most]), "change": float(change[most]),
        },
    }  # fmt: skip


def said(model: Model, answer: Any, row: int, top: int) -> dict[str, Any]:
    """What one model says of one picture: its classes in order, or the answer's own numbers."""
    if not isinstance(answer, Predictions):
        return {"kind": answer.kind, "described": answer.describe(row)}
    entry = answer.numbers(row)
    listed = [
        {"class": k, "label": model.label(k), "probability": float(answer.probabilities[row, k])}
        for k in _ranked(answer, row, top)
    ]
    return {**entry, "top": listed}


def agreement(found: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Over the pictures: how many agree, the share, and the largest change of a probability; {} where none compares."""
    known = [one for one in found if one is not None]
    if not known:
        return {}
    if "agree" not in known[0]:
        return {
            name: max((one[name] for one in known if one[name] is not None), default=None)
            for name in ("largest", "relative")
        }
    changes = [abs(one["largest_change"]["change"]) for one in known]
    same = sum(one["agree"] for one in known)
    return {"pictures": len(known), "agree": same, "share": same / len(known), "largest_change": max(changes)}


def _ranked(answer: Predictions, row: int, top: int) -> list[int]:
    order = np.argsort(-answer.probabilities[row], kind="stable")[:top]
    return [int(k) for k in order]
