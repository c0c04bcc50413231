"""How answers show themselves: what is said of the first samples."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from onnxray.display.parts import heading, line, table, whole
from onnxray.graph.classifier.predictions import Predictions
from onnxray.model.answers.answer import Answer

_ROWS, _TOP, _NOTES = 10, 3, 5


def predictions(value: Predictions) -> str:
    """The three likeliest classes of the first images, and what was done to them."""
    listed, named = value.top(_TOP), any(value.paths)
    rows: list[list[Any]] = []
    for index, own in enumerate(listed[:_ROWS]):
        path = value.paths[index] if index < len(value.paths) else None
        cells = [f"{one.label} ({one.probability:.4f})" for one in own]
        rows.append([index, *([PurePath(path).name if path else "-"] if named else []), *cells])
    columns = ["image", *(["file"] if named else []), "likeliest", "second", "third"][
        : 1 + named + len(listed[0] if listed else ())
    ]
    return whole(
        heading(f"{len(value)} predictions: {value.kind} by output {value.output!r}"),
        table(columns, rows, left_out=len(value) - _ROWS), *map(line, value.notes[:_NOTES]),
    )  # fmt: skip


def answer(value: Answer) -> str:
    """What is said of the first samples, a line each."""
    rows = [(index, value.describe(index)) for index in range(min(len(value), _ROWS))]
    return whole(
        heading(f"{type(value).__name__}: {len(value)} of output {value.output!r}"),
        table(["sample", str(value.kind)], rows, left_out=len(value) - _ROWS), *map(line, value.notes[:_NOTES]),
    )  # fmt: skip
