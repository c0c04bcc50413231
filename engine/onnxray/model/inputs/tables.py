"""Rows of a CSV, TSV or JSON file, as columns of numbers and text.

CSV    a line a row; the first names the columns where it holds text and the rows below do not, or names inputs
JSON   [[1, 2], [3, 4]] rows;  [{"age": 1, "weight": 2}, ...] rows with names;  {"input": [[1, 2], ...], ...}
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.profile.side_text import parse_json

MAX_TABLE: Final = 64 * 2**20
"""Bytes of a table in text."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of cells, numbers in float64 and text as it is. names: of the columns, where they have any."""

    cells: tuple[tuple[Any, ...], ...]
    names: tuple[str, ...] = ()

    def columns(self, places: Sequence[int]) -> Array:
        """(rows, places): numbers where all are, else text. Errors: InputError for rows of different lengths."""
        picked = [[row[place] for place in places] for row in self.cells]
        if all(isinstance(cell, float) for row in picked for cell in row):
            return np.array(picked, np.float64).reshape(len(picked), len(places))
        texts = [[_text(cell) for cell in row] for row in picked]
        return np.array(texts, dtype=object).reshape(len(picked), len(places))


def read_csv(path: Path, inputs: Collection[str] = ()) -> Table:
    """The rows of a CSV or TSV file. inputs: names that mark a first line as the columns' names. Errors: InputError."""
    text = _read_text(path)
    first = text.split("\n", 1)[0]
    separator = max("\t;,", key=first.count) if any(sign in first for sign in "\t;,") else ","
    try:
        lines = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row]
    except csv.Error as error:
        raise InputError(f"{path} is no table: {error}") from None
    if not lines:
        raise InputError(f"{path} holds no rows; a line a sample was expected")
    header = [cell.strip() for cell in lines[0]]
    texts = [not _is_number(cell) for cell in header]
    below = [not _is_number(cell) for cell in lines[1]] if len(lines) > 1 else []
    named = bool(set(header) & set(inputs)) or (any(texts) and len(lines) > 1 and texts != below)
    rows = [tuple(_cell(cell) for cell in row) for row in lines[named:]]
    return _checked(path, rows, tuple(header) if named else ())


def read_json(path: Path) -> Table | dict[str, Array]:
    """The rows of a JSON file; a table of arrays by name where it is an object. Errors: InputError."""
    return of_json(_read_text(path), str(path))


def of_json(text: str, label: str) -> Table | dict[str, Array]:
    """The same for text. Errors: InputError."""
    try:
        found = parse_json(text)
    except ValueError as error:
        raise InputError(f"{label} is no JSON: {error}") from None
    if isinstance(found, dict):
        return {str(name): _array(f"{label}, {short(str(name))}", rows) for name, rows in found.items()}
    if isinstance(found, list) and found and all(isinstance(row, dict) for row in found):
        names = tuple(str(name) for name in found[0])
        if any(set(map(str, row)) != set(names) for row in found):
            raise InputError(f"{label}: the rows name different columns; each needs {', '.join(names[:20])}")
        return _checked(label, [tuple(_plain(label, row[name]) for name in names) for row in found], names)
    if isinstance(found, list) and found and all(not isinstance(cell, list | dict) for cell in found):
        return Table((tuple(_plain(label, cell) for cell in found),))
    array = _array(label, found)
    if array.ndim != 2:
        return {"": array}
    return Table(tuple(tuple(_plain(label, cell) for cell in row) for row in array.tolist()))


def _array(label: str, rows: object) -> Array:
    """Nested lists as an array."""
    try:
        array = np.asarray(rows)
    except ValueError:
        raise InputError(f"{label}: rows of different lengths; all need the same") from None
    if array.dtype.kind not in "fiubUO" or any(
        isinstance(cell, list | dict | None) for cell in array.reshape(-1).tolist()
    ):
        raise InputError(f"{label} holds no numbers or text in rows; found {short(rows)}")
    return array


def _checked(label: object, rows: list[tuple[Any, ...]], names: tuple[str, ...]) -> Table:
    width = len(names) or len(rows[0]) if rows else 0
    for place, row in enumerate(rows, 1):
        if len(row) != width:
            raise InputError(f"{label}: row {place} has {len(row)} cells; {width} were expected, as in the first")
    if not rows:
        raise InputError(f"{label} holds no rows below the names of the columns")
    return Table(tuple(rows), names)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_TABLE + 1)
        if len(data) > MAX_TABLE:
            raise InputError(f"{path} is larger than {MAX_TABLE >> 20} MiB; write its numbers as .npy")
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def _is_number(cell: str) -> bool:
    return isinstance(_cell(cell), float)


def _cell(cell: str) -> float | str:
    text = cell.strip()
    try:
        return float(text) if text and "_" not in text else text
    except ValueError:
        return text


def _plain(label: str, cell: object) -> float | str:
    if isinstance(cell, bool | int | float):
        return float(cell)
    if isinstance(cell, str):
        return cell
    raise InputError(f"{label}: a cell holds {short(cell)}; a number or text was expected")


def _text(cell: float | str) -> str:
    """A number among text as it was written, near enough: 3.0 is 3."""
    return cell if isinstance(cell, str) else f"{cell:.17g}"
