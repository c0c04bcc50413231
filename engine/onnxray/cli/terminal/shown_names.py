"""What images are called in a table: by the part of their paths in which they differ."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import PurePath

_LONGEST = 48
"""Letters of a name on a terminal; elsewhere nothing is cut."""


def shown_names(paths: Sequence[str | None], without: str = "array") -> list[str]:
    """The paths relative to the folder that all of them lie in; what came from no file is called ``without``.

    On a terminal a long name loses its middle: names differ at their ends.
    """
    longest = _LONGEST if sys.stdout.isatty() else None
    folders = {PurePath(path).parent for path in paths if path is not None}
    shared = _shared(folders)
    return [without if path is None else _cut(_within(path, shared), longest) for path in paths]


def _within(path: str, folder: str) -> str:
    return str(PurePath(path).relative_to(folder)) if folder else path


def _shared(folders: set[PurePath]) -> str:
    """The deepest folder that holds all; of relative and absolute paths together, or on several drives, none."""
    try:
        return os.path.commonpath(list(folders))
    except ValueError:
        return ""


def _cut(name: str, longest: int | None) -> str:
    if longest is None or len(name) <= longest:
        return name
    kept = longest - 1
    return f"{name[: kept // 3]}\u2026{name[-(kept - kept // 3) :]}"
