"""What an earlier run left in a folder: its files go when another run's take their place, so that none are mixed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onnxray.results.journal import JOURNAL, is_plain_name, read_journal

DOCUMENT = "result.json"


def holds_a_run(folder: Path) -> bool:
    """Whether a run has written here, whole or not."""
    return any((folder / name).exists() for name in (DOCUMENT, JOURNAL))


def files_of_earlier_run(folder: Path) -> frozenset[str]:
    """The files that the result or the journal of a folder names and that lie in it, the two themselves left out.

    Names are text of a file: one that leads elsewhere is left alone.
    """
    names = {*_of_document(folder / DOCUMENT), *_of_journal(folder / JOURNAL)} - {DOCUMENT, JOURNAL}
    return frozenset(name for name in names if is_plain_name(name) and _is_file(folder / name))


def _of_document(path: Path) -> Iterator[str]:
    try:
        document: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    yield from _texts(document.get("files"))
    items = document.get("items")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(item.get("files"), dict):
            yield from _texts([*item["files"].values()])


def _of_journal(path: Path) -> Iterator[str]:
    journal = read_journal(path)
    if journal is not None:
        yield from journal.beside
        for entry in journal.entries:
            yield from entry.files


def _texts(values: Any) -> Iterator[str]:
    yield from (value for value in values if isinstance(value, str)) if isinstance(values, list) else ()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink()
    except OSError:
        return False
