"""Run folders read back. What stands in them is data: no path leads out, nothing is unpickled, sizes are bounded.

A folder holds what ``save`` wrote, or what a run has finished so far, of which its journal may know more than the
document.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxray.errors import ImageError, OutputError
from onnxray.errors.library_warnings import warned
from onnxray.errors.short_values import short
from onnxray.images.files import read_png
from onnxray.results.earlier_run import DOCUMENT
from onnxray.results.item import ItemT
from onnxray.results.journal import JOURNAL, digest_of_file, is_plain_name, read_journal

SCHEMA: Final = 1
"""What stands in result.json; a newer one is refused."""
LARGEST_DOCUMENT: Final = 2**28
"""Bytes of a result.json that are read."""
LARGEST_FILES: Final = 2**32
"""Bytes of a run's pictures and arrays, as they take memory, that are read."""
_CLOSE = 1e-4


def stored_document(place: Path) -> dict[str, Any]:
    """What result.json of a folder says, with all items that are finished. Errors: OutputError."""
    with refused(place):
        path = own_file(place, DOCUMENT)
        if path.stat().st_size > LARGEST_DOCUMENT:
            raise OutputError(f"{path} has {path.stat().st_size} bytes; at most {LARGEST_DOCUMENT} are read")
        document = json.loads(path.read_bytes())
        if not isinstance(document, dict) or "schema" not in document:
            raise ValueError("result.json is no document of a run")
        schema = document["schema"]
        if schema != SCHEMA:
            newer = isinstance(schema, int) and schema > SCHEMA
            raise OutputError(
                f"{place} holds a result of schema {short(schema)}; {SCHEMA} is known here"
                f"{', so a newer onnxray wrote it: upgrade this one' if newer else ''}"
            )
        entries = document["items"]
        journal = read_journal(place / JOURNAL) if document.get("incomplete") else None
        if journal is not None and len(journal.entries) > len(entries):
            document["items"] = [dict(entry.entry) for entry in journal.entries]
        if journal is not None:
            for name, digest in (pair for entry in journal.entries for pair in entry.files.items()):
                if digest_of_file(own_file(place, name)) != digest:
                    raise ValueError(f"the file {name!r} was changed since the run wrote it")
        found: dict[str, Any] = document
        return found


def restored(place: Path, entries: Sequence[Mapping[str, Any]], item_type: type[ItemT]) -> tuple[ItemT, ...]:
    """Items from their parts of a document and their files in a folder. Errors: those of files and of ``restore``."""
    total = 0

    @functools.cache
    def read(name: str, key: str) -> NDArray[Any]:
        nonlocal total
        path = own_file(place, name)
        with _named(path):
            total += _size(path, key)
        if total > LARGEST_FILES:
            raise ValueError(f"its pictures and arrays take more than {LARGEST_FILES} bytes")
        with _named(path):
            return _read(path, key)

    items = []
    for entry in entries:
        files = {role: read(name, str(entry.get("key", ""))) for role, name in entry.get("files", {}).items()}
        items.append(item_type.restore(entry, files))
    return tuple(items)


def check_unchanged(place: Path, entries: Sequence[Mapping[str, Any]], items: Sequence[ItemT]) -> None:
    """Refuse items whose files are not those that their numbers were measured on, or of which no line can be said.

    Errors: OutputError; what ``repr`` raises where a number is text, or a path a number.
    """
    for entry, item in zip(entries, items):
        repr(item)
        for name, value in item.measured_again().items():
            if name in entry and not _alike(entry[name], value):
                raise OutputError(
                    f"{place}: the files of {short(next(iter(entry['files'].values())))} were changed since they were "
                    f"written: {name} is {short(value)} of them, and {short(entry[name])} in result.json"
                )


def own_file(place: Path, name: object) -> Path:
    """A regular file of the folder itself. Errors: ValueError where the name leads elsewhere, or there is none."""
    if not isinstance(name, str) or not is_plain_name(name):
        raise ValueError(f"the file {short(name)} is not in that folder")
    path = place / name
    try:
        if path.is_symlink():
            raise ValueError(f"the file {short(name)} is a link")
        if not path.is_file():
            raise ValueError(f"the file {short(name)} is missing")
    except OSError as error:  # a name that no file can have
        raise ValueError(f"the file {short(name)} cannot be there ({error.strerror})") from None
    return path


@contextmanager
def refused(place: Path) -> Iterator[None]:
    """Whatever is wrong with a folder is one line. Errors: OutputError."""
    try:
        yield
    except OutputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ImageError, EOFError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else error
        raise OutputError(f"{place} holds no result that can be loaded: {said}") from None
    except MemoryError:
        raise OutputError(f"{place} holds a result that takes more memory than there is") from None


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """A file that cannot be read is named. Errors: ValueError."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # Pillow, numpy and zipfile raise nearly anything for a file that is hostile
        raise ValueError(f"the file {short(path.name)} cannot be read ({type(error).__name__}: {error})") from None


def _read(path: Path, key: str) -> NDArray[Any]:
    if path.suffix == ".png":
        return read_png(path, deep=True)
    loaded = np.load(path, allow_pickle=False)
    if path.suffix == ".npy":
        return np.asarray(loaded)
    with loaded:
        return np.asarray(loaded[key])


def _size(path: Path, key: str) -> int:
    """Bytes that a file takes once it is read, as its header tells."""
    if path.suffix == ".png":
        with warned("ignore", Image.DecompressionBombWarning), Image.open(path, formats=("PNG",)) as image:
            return image.width * image.height * (2 if image.mode.startswith("I") else len(image.getbands()))
    if path.suffix == ".npz":
        from zipfile import ZipFile

        with ZipFile(path) as archive:
            return archive.getinfo(f"{key}.npy").file_size
    if path.suffix != ".npy":
        raise ValueError("it is neither a PNG nor an array")
    with path.open("rb") as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        size, held = math.prod(shape) * dtype.itemsize, path.stat().st_size
    if size > held:
        raise ValueError(f"it is cut short: an array of {size} bytes in {held}")
    return size


def _alike(stated: Any, measured: Any) -> bool:
    if isinstance(stated, int | float) and isinstance(measured, int | float):
        return math.isclose(stated, measured, rel_tol=_CLOSE, abs_tol=1e-30)
    return bool(stated == measured)
