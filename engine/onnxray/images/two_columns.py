"""A CSV of two columns that a user states beside pictures: their labels, or pairs of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from pathlib import Path
from typing import Final

from onnxray.errors import InputError
from onnxray.errors.short_values import short

_LARGEST: Final = 100_000_000


def two_columns(
    path: Path, *, what: str, columns: str, headings: Collection[str], otherwise: str = ""
) -> list[tuple[str, str]]:
    """The first two cells of every row; a first row whose first cell is one of ``headings`` is left out.

    what: "labels", for errors; columns: "file,label"; otherwise: what may be stated in place of a CSV. Pipes are read
    as files are, and no more than is allowed of either. Errors: InputError where it cannot be read, has more than
    100 MB or no rows, or a cell is empty.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise InputError(f"{short(str(path))} has more than {_LARGEST} bytes; a smaller CSV was expected")
        rows = [row for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", None)
        raise InputError(
            f"the {what} {short(str(path))} cannot be read ({why or error}); a CSV of {columns}{otherwise} was expected"
        ) from None
    if rows and rows[0][0].strip().lower() in headings:
        rows = rows[1:]
    for number, row in enumerate(rows, 1):
        if len(row) < 2 or not row[0].strip() or not row[1].strip():
            raise InputError(f"{path}: row {number} is {short(','.join(row))}; {columns} was expected")
    if not rows:
        raise InputError(f"{path} holds no rows; {columns} was expected in each")
    return [(row[0].strip(), row[1].strip()) for row in rows]
