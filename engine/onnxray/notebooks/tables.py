"""Values as rows of a table: a row an item, for pandas and for spreadsheets.

What is nested is flattened: ``{"origin": {"label": "4"}}`` is the column ``origin.label``. At most four numbers in a
list are a column each, ``peak.0`` and ``peak.1``; longer lists, and lists of anything else, are left out.
"""

from __future__ import annotations

import csv
import io
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from onnxray.errors import InputError, OutputError
from onnxray.errors.shown_text import terminal
from onnxray.errors.type_checks import as_path

_MOST_NUMBERS = 4
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula, in full width too."""


class Tabular(ABC):
    """Has rows."""

    __slots__ = ()

    @abstractmethod
    def rows(self) -> list[dict[str, Any]]:
        """A dict a row, by column: numbers, text, truth values and None."""

    def to_pandas(self) -> Any:
        """The rows as a pandas.DataFrame. Errors: InputError where pandas is not installed."""
        return data_frame(self.rows())

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the rows as a CSV file (UTF-8, commas, a heading) in place of what is there; see ``csv_text``.

        Errors: OutputError.
        """
        write_csv(path, self.rows())


def flat(document: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """A nested document as one row, by dotted names."""
    row: dict[str, Any] = {}
    for key, value in document.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            row |= flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            if len(value) <= _MOST_NUMBERS and all(type(one) in {int, float} for one in value):
                row |= {f"{name}.{place}": one for place, one in enumerate(value)}
        else:
            row[name] = value
    return row


def data_frame(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Rows as a pandas.DataFrame. Errors: InputError where pandas is not installed."""
    try:
        import pandas
    except ImportError:
        raise InputError(
            "to_pandas needs the package pandas: pip install onnxray[notebooks]; to_csv and rows() need nothing"
        ) from None
    return pandas.DataFrame(list(rows))


def write_csv(path: str | os.PathLike[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as a CSV file. Errors: OutputError."""
    target = as_path("the file", path, OutputError)
    try:
        target.write_bytes(csv_text(rows).encode())
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from None


def csv_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV (RFC 4180), a column for each name of any row, empty where a row has none.

    Text is data: what a spreadsheet would take for a formula begins with an apostrophe, what cannot be seen is an
    escape. Numbers are written in full.
    """
    listed = list(rows)
    columns = list(dict.fromkeys(name for row in listed for name in row))
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([_cell(row.get(name)) for name in columns] for row in listed)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    plain = value.lstrip(" ").startswith(_FORMULAS)
    return f"'{terminal(value)}" if plain else terminal(value)
