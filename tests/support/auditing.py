"""Pictures of an audit: the bundled digits with their classes, and arrays written to a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import onnxray
import onnxray_models
from onnxray.assess.audit.check import Check, Outcome, Picture, Row
from onnxray.images.files import save_png
from onnxray.images.profile.profile import Profile
from onnxray.model.model import Model
from support import models

PROFILE = Profile(name="unit", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0,) * 3, std=(1,) * 3, size=(4, 4))


def picture(path: Path, label: int | str | None = None, folder: str = "") -> Picture:
    return Picture(path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), label=label, folder=folder)


def digits(count: int = 12, *, labelled: bool = True) -> list[Picture]:
    """The bundled digits by name, of different classes; the first character of a name is its class."""
    paths = sorted(map(Path, onnxray_models.samples("lenet")), key=lambda path: (path.stem[::-1], path.stem))
    return [picture(path, int(path.name[0]) if labelled else None, "digits") for path in paths[:count]]


def saved(folder: Path, arrays: Sequence[Any], labels: Sequence[int | str | None] | None = None) -> list[Picture]:
    """Arrays (channels, height, width) as PNG files."""
    folder.mkdir(exist_ok=True, parents=True)
    found = []
    for place, array in enumerate(arrays):
        path = folder / f"{place}.png"
        save_png(path, np.asarray(array, np.uint8))
        found.append(picture(path, None if labels is None else labels[place], folder.name))
    return found


def opened(text: str, weights: dict[str, Any] | None = None, **more: Any) -> Model:
    """A model of pictures of 4 x 4 in colour from ONNX text."""
    return onnxray.open(models.parse(text, weights or {}).SerializeToString(), PROFILE, **more)


def outcome(check: Check, model: Model, pictures: Sequence[Picture], seed: int = 0) -> Outcome:
    """What a check comes to; its rows are the same one by one, in another order, and on a model opened anew."""
    rows = check.measure(model, pictures, seed)
    if check.chunk > 0:
        assert len(rows) == len(pictures)
        backwards = check.measure(model, list(pictures)[1::-1], seed)
        assert backwards[::-1] == rows[:2]
    return check.summarise(rows, pictures, 0.95)


def values(told: Outcome) -> dict[tuple[str, str | None], float | None]:
    """(figure, slice) -> value."""
    return {(figure.name, figure.slice): figure.value for figure in told.figures}


def levels(told: Outcome) -> list[str]:
    return [finding.level for finding in told.findings]


def rows_of(check: Check, model: Model, pictures: Sequence[Picture]) -> list[Row]:
    return check.measure(model, pictures, 0)
