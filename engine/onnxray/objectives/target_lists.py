"""What activation maximisation is after, from what a user states: one objective for a batch, a row an image.

"281", "NAME:3", "NAME:3,6,6"            as every target (targets.py)
"1 * 281 + -0.5 * 282"                   a weighted sum of them
FILE.npy@NAME                            a direction
NAME and 0-63,70                         a channel each
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, UnknownValue
from onnxray.images.pixels import Pixels
from onnxray.model.model import Model
from onnxray.objectives.class_score import Score
from onnxray.objectives.likeness import Direction
from onnxray.objectives.objective import Objective, Sum
from onnxray.objectives.parts_of_values import Channels, Part
from onnxray.objectives.targets import read_array, read_target

Where = Literal["mean", "centre"]

_TERM = re.compile(r"\s*(?P<weight>[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)\s*\*\s*(?P<target>.+?)\s*", re.IGNORECASE)
_RANGE = re.compile(r"(\d{1,7})(?:-(\d{1,7}))?")
_MOST = 100_000


def each_target(model: Model, targets: Sequence[object], score: Score, where: Where) -> tuple[Objective, ...]:
    """An objective for a batch of one for each target. Errors: InputError, UnknownValue."""
    return tuple(one_target(model, target, score, where) for target in targets)


def one_target(model: Model, target: object, score: Score = "logit", where: Where = "mean") -> Objective:
    """A target, or a weighted sum of several; a bare channel is read at its ``where``. Errors: InputError."""
    terms = _terms(target)
    if terms is not None:
        return Sum(tuple((weight, one_target(model, text, score, where)) for weight, text in terms))
    assert model.profile is not None
    found = read_target(model, Pixels.blank(model.profile), target, score)
    if not isinstance(found, Part) or found.selection.channel is None or found.selection.position is not None:
        return found
    name, channel = found.selection.value, found.selection.channel
    return Channels(name, np.array([channel]), _centre(model, name)) if where == "centre" else found


def channels_of(model: Model, layer: str, channels: str, where: Where) -> Channels:
    """A row for each of the channels ``0-63,70`` of a layer. Errors: InputError, UnknownValue."""
    name = model.select_value(layer)
    shape = model.shapes([name])[name]
    numbers: list[int] = []
    for part in channels.split(","):
        found = _RANGE.fullmatch(part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last or last - first >= _MOST:
            raise InputError(f"channels {channels!r}: {part.strip()!r} is no range; write 0-63 or 0-7,12")
        numbers += range(first, last + 1)
    if len(shape) < 2 or max(numbers) >= shape[1]:
        count = shape[1] if len(shape) > 1 else 0
        raise UnknownValue(f"{name!r} has {count} channels, 0 to {count - 1}; there is no channel {max(numbers)}")
    return Channels(name, np.array(numbers), _centre(model, name) if where == "centre" else None)


def direction_of(model: Model, text: str, measure: Literal["dot", "cosine"]) -> Direction:
    """FILE.npy@NAME: the direction in the file, at a value. Errors: InputError, UnknownValue."""
    file, at, name = text.rpartition("@")
    if not at or not file or not name:
        raise InputError(f"the direction is {text!r}; FILE.npy@NAME was expected")
    value = model.select_value(name)
    direction = Direction(value, _vector(Path(file)), measure, Path(file).name)
    direction.score({value: np.zeros(model.shapes([value])[value], np.float32)}, slice(0, 1))
    return direction


def _terms(target: object) -> list[tuple[float, str]] | None:
    """The weighted terms of a sum, None where the text is none."""
    if not isinstance(target, str):
        return None
    found = [_TERM.fullmatch(part) for part in re.split(r"\s\+\s", target)]
    if all(part is None for part in found):
        return None
    terms = [(float(part["weight"]), part["target"]) for part in found if part is not None]
    if len(terms) < len(found) or not np.isfinite([weight for weight, _ in terms]).all():
        raise InputError(f"the target is {target!r}; every term of a sum needs a weight: '1 * A + -0.5 * B'")
    return terms


def _centre(model: Model, name: str) -> tuple[int, int]:
    """(H // 2, W // 2): of an even side, the further of the two in the middle (lucid)."""
    shape = model.shapes([name])[name]
    if len(shape) != 4:
        raise InputError(f"{name!r} has the shape {list(shape)}, so it has no centre; read its mean")
    return shape[2] // 2, shape[3] // 2


def _vector(path: Path) -> NDArray[np.float64]:
    vector = read_array(path, "one direction").astype(np.float64).ravel()
    if not np.isfinite(vector).all() or not vector.any():
        raise InputError(f"the direction in {path} is zero or not finite; there is nowhere to go")
    return vector
