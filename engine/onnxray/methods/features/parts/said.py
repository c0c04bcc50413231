"""What the file says of the pictures of a walk, beside their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.features.parts.walk import Block
from onnxray.model.model import Model

CLASS: Final = "class"
PROBABILITY: Final = "probability"


def said_of(model: Model, block: Block) -> dict[str, NDArray[Any]]:
    """Class and probability of each picture of a block; nothing where the model is no classifier."""
    said = model.verdict(block.pixels)
    if said is None:
        return {}
    likely = [said.row(k, scored=False).probability for k in range(len(block.pixels))]
    return {
        CLASS: said.classes.astype(np.int64),
        PROBABILITY: np.array([np.nan if one is None else one for one in likely], np.float64),
    }


def class_names(model: Model, arrays: Mapping[str, NDArray[Any]]) -> list[str] | None:
    """The name of the class that the file says of each picture; None where it is no classifier."""
    if CLASS not in arrays:
        return None
    classes = np.asarray(arrays[CLASS])
    words = {int(number): model.label(int(number)) for number in np.unique(classes)}
    return [words[int(number)] for number in classes]


def correctness(
    model: Model, arrays: Mapping[str, NDArray[Any]], labels: Sequence[str | None]
) -> list[bool | None] | None:
    """Whether the file says of each picture what its label says, a class's name or number.

    None for a picture without a label or with one that is no class of the file; in place of all where there is no
    picture with another.
    """
    names = class_names(model, arrays)
    if names is None:
        return None
    numbers = [str(int(number)) for number in np.asarray(arrays[CLASS])]
    own = model.answering.labels
    classes = None if own is None else set(own)
    found = [
        None if label is None or not (label.isdecimal() if classes is None else label in classes or label.isdecimal())
        else label in (name, number)
        for label, name, number in zip(labels, names, numbers)
    ]  # fmt: skip
    return None if all(one is None for one in found) else found
