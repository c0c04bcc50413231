"""The one JSON document of a command, and the folder that it goes to."""

from __future__ import annotations

import codecs
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxray.cli.parts.console import text
from onnxray.errors.shown_text import json_text

if TYPE_CHECKING:
    from onnxray.model.model import Model
    from onnxray.results.provenance import Provenance


def document(model: Model, name: str, items: Sequence[Mapping[str, Any]], **extra: Any) -> dict[str, Any]:
    """The document of a command that makes no pictures; the same keys as a Result's."""
    from onnxray.results.result import Result

    for note in model.notes:
        text.print(note)
    found = Result(provenance_of(model, name), (), None, extra).to_dict()
    return {**found, "command": command_line(), "items": list(items)}


def provenance_of(model: Model, name: str) -> Provenance:
    """What such a command ran on."""
    from onnxray.results.provenance import provenance

    seconds = round(time.perf_counter() - _STARTED, 3)
    return provenance(model, name=name, options={}, seed=0, seconds=seconds, notes=())


def write_document(found: Mapping[str, Any], folder: Path | None, files: Mapping[str, bytes] | None = None) -> None:
    """Write result.json (and ``files``) where a folder was asked for."""
    if folder is None:
        return
    from onnxray.results.saved_files import write_folder

    write_folder(folder, found, dict(files or {}))
    text.print(f"written to {folder}")


def print_json(found: Mapping[str, Any]) -> None:
    """The one document, on standard output."""
    print(json_text(found, ascii=codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"))


def run_folder(out: Path | None, name: str) -> Path:
    """The folder of a run: the one asked for, or a new ``onnxray-out/<time>-<command>``, which no other run gets."""
    from onnxray.results.run_folder import new_folder, told

    if out is not None:
        return out
    with told(default_folder(name)):
        return new_folder(default_folder(name))


def default_folder(name: str) -> Path:
    """Where a run goes by default: a number is appended where that is taken."""
    return Path("onnxray-out") / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"


def command_line() -> list[str]:
    """The command as it was typed."""
    return ["onnxray", *sys.argv[1:]]


_STARTED = time.perf_counter()
