"""The result that is to be made again, read from its folder: data of whoever wrote it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from onnxray.errors import OutputError
from onnxray.errors.short_values import short
from onnxray.errors.type_checks import as_path
from onnxray.results.earlier_run import DOCUMENT
from onnxray.results.loading import SCHEMA

_LARGEST: Final = 2**30


@dataclass(frozen=True, kw_only=True)
class OldResult:
    """A document and where it lies. path: command -> as it is typed. options: by their parameters' names."""

    file: Path
    document: Mapping[str, Any]
    command: tuple[str, ...]
    options: Mapping[str, Any]
    files: tuple[Mapping[str, Any], ...]

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.file.parent


def read_result(place: str | os.PathLike[str]) -> OldResult:
    """Read result.json, or that of a run folder. Errors: OutputError, one line."""
    stated = as_path("the result", place, OutputError)
    try:
        file = stated / DOCUMENT if stated.is_dir() else stated
        document = _parsed(file)
    except (OSError, ValueError, RecursionError) as error:
        said = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{stated}: no result that can be read ({said}); result.json of a run, or its folder, was expected"
        ) from None
    if not isinstance(document, dict):
        raise OutputError(f"{file}: holds {short(document)}; the document of a run was expected")
    schema: Any = document.get("schema")
    whole = isinstance(schema, int) and not isinstance(schema, bool)
    if whole and schema > SCHEMA:
        raise OutputError(f"{file} is of schema {schema} and {SCHEMA} is known here; a newer onnxray wrote it: update")
    if not whole or schema != SCHEMA or not isinstance(document.get("items"), list):
        raise OutputError(f"{file} is no result of onnxray: schema {SCHEMA} with its items was expected")
    if document.get("incomplete"):
        raise OutputError(f"{file} is of a run that did not come to its end; go on with that by --resume")
    made = document.get("made_from")
    if not isinstance(made, dict):
        raise OutputError(
            f"{file} does not say what it was made from: onnxray {_version(document)} wrote it, before results did; "
            "run its command again"
        )
    if made.get("reason"):
        raise OutputError(f"{file} cannot be made again by a command: {made['reason']}")
    command, options, files = made.get("command"), made.get("options"), made.get("files")
    if not (
        isinstance(command, list) and command and all(isinstance(word, str) for word in command)
        and isinstance(options, dict) and isinstance(files, list) and all(map(_is_file_entry, files))
    ):  # fmt: skip
        raise OutputError(f"{file}: what it says of its command is damaged; made_from is {short(made)}")
    return OldResult(file=file, document=document, command=tuple(command), options=options, files=tuple(files))


def _parsed(file: Path) -> Any:
    if not file.is_file():
        raise ValueError("no such file")
    if file.stat().st_size > _LARGEST:
        raise ValueError(f"larger than {_LARGEST >> 30} GiB")
    return json.loads(file.read_bytes())


def _is_file_entry(entry: Any) -> bool:
    """Whether a file is stated as ``made_from`` does: two paths, and a sha256 or those of pictures."""
    if not isinstance(entry, dict) or not all(_is_path(entry.get(key)) for key in ("path", "absolute")):
        return False
    tables = [entry.get(key, {}) for key in ("pictures", "external")]
    return all(isinstance(table, dict) and all(map(_is_path, table)) for table in tables)


def _is_path(text: Any) -> bool:
    return isinstance(text, str) and text != "" and "\0" not in text


def _version(document: Mapping[str, Any]) -> str:
    versions = document.get("versions")
    return short(versions.get("onnxray") if isinstance(versions, dict) else None)
