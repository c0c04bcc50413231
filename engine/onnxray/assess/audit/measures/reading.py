"""The pictures of a unit, each measured by itself: alone in its batch, so that no picture moves another's digits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from onnxray.assess.audit.check import Picture, Row
from onnxray.assess.audit.work import unreadable
from onnxray.errors import ImageError, InputError, NotAClassifier
from onnxray.graph.classifier.predictions import Predictions
from onnxray.graph.outputs.facts import CLASS_KINDS
from onnxray.images.pixels import Pixels
from onnxray.model.model import Model


def no_pictures(model: Model) -> str | None:
    """Why a check of pictures says nothing of a model; None where it does."""
    return "its input is no picture" if model.profile is None else None


def no_classes(model: Model) -> str | None:
    """Why a check of a classifier of pictures says nothing of a model; None where it does."""
    if (why := no_pictures(model)) is not None:
        return why
    return None if model.head.kind in CLASS_KINDS else f"its output is {model.head.said()}, not one score a class"


def row_of_each(model: Model, pictures: Sequence[Picture], measured: Callable[[Picture, Pixels], Row]) -> list[Row]:
    """A row a picture, in order; of one that cannot be read ``unreadable`` with the reason."""
    rows: list[Row] = []
    for picture in pictures:
        try:
            pixels = model.pixels([picture.path])
        except ImageError as error:
            rows.append(unreadable(picture, error))
            continue
        rows.append(measured(picture, pixels))
    return rows


def labelled_class(model: Model) -> Callable[[Picture, int], int | None]:
    """(picture, how many classes) -> the class that it is labelled as; None where it has no label.

    Errors of that: InputError for a label that no class has.
    """
    from onnxray.objectives.targets import class_index  # imports torch

    @functools.cache
    def of_label(label: str, count: int) -> int:
        return class_index(model, label, count)

    return lambda picture, count: None if picture.label is None else of_label(str(picture.label), count)


def named(model: Model, pixels: Pixels) -> Predictions | str:
    """What the file says of pictures; why it says nothing, where its scores are no numbers. Errors: NotAClassifier."""
    try:
        return model.predict_classes(pixels)
    except NotAClassifier:
        raise
    except InputError as error:
        return str(error)
