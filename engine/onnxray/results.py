"""Results: one frozen envelope for every method, saved to a run folder of PNGs and ``result.json``, and loaded back."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import ImageError, OutputError
from onnxray.image_files import png_bytes, read_png
from onnxray.model import Model

SCHEMA = 1
DOCUMENT = "result.json"

Image8 = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a result came from: enough to make it again, and to see what was assumed."""

    model: Mapping[str, Any]
    profile: Mapping[str, Any] | None
    method: Mapping[str, Any]
    seed: int
    device: str
    versions: Mapping[str, str]
    seconds: float
    command: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    interrupted: bool = False


class Item(ABC):
    """One finding of a method: its numbers and its pictures."""

    @abstractmethod
    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON; a number that could not be had is None, with a ``reason`` beside it."""

    @abstractmethod
    def pictures(self) -> dict[str, tuple[str, Image8]]:
        """Role -> (file stem, 8-bit CHW picture). Equal stems are one file, written once."""

    @classmethod
    @abstractmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, Image8]) -> Self:
        """Build the item again from its part of the document and its pictures."""


ItemT = TypeVar("ItemT", bound=Item)


@dataclass(frozen=True)
class Result(Generic[ItemT]):
    """A method's items and where they came from. ``folder`` is where they were saved, if they were."""

    provenance: Provenance
    items: tuple[ItemT, ...]
    folder: Path | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The document: paths in it are relative to the run folder; floats are plain numbers, never NaN."""
        p = self.provenance
        names = file_names(self.items)
        items = [
            {**item.numbers(), "files": {role: names[stem] for role, (stem, _) in item.pictures().items()}}
            for item in self.items
        ]
        return {
            "schema": SCHEMA,
            "command": list(p.command),
            "model": dict(p.model),
            "profile": None if p.profile is None else dict(p.profile),
            "method": dict(p.method),
            "seed": p.seed,
            "device": p.device,
            "versions": dict(p.versions),
            "seconds": p.seconds,
            "notes": list(p.notes),
            "interrupted": p.interrupted,
            **self.extra,
            "items": items,
        }

    def save(self, folder: str | os.PathLike[str], sheets: Mapping[str, bytes] | None = None) -> Self:
        """Write PNGs, ``sheets`` (file name -> PNG bytes) and result.json; everything or nothing.

        Each PNG is read back and compared with what was judged. Errors: OutputError.
        """
        names = file_names(self.items)
        pictures = {names[stem]: image for item in self.items for stem, image in item.pictures().values()}
        target = Path(folder)
        write_folder(target, self.to_dict(), sheets or {}, pictures)
        return replace(self, folder=target)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], item_type: type[ItemT]) -> Result[ItemT]:
        """Load what ``save`` wrote. Errors: OutputError where the folder holds no such result."""
        place = Path(folder)
        try:
            document = json.loads((place / DOCUMENT).read_text(encoding="utf-8"))
            if document["schema"] != SCHEMA:
                raise OutputError(f"{place} holds a result of schema {document['schema']}; {SCHEMA} is known here")
            known = Provenance.__dataclass_fields__
            fields = {name: document[name] for name in known if name in document}
            fields |= {name: tuple(fields[name]) for name in ("command", "notes")}
            items = tuple(
                item_type.restore(entry, {role: read_png(place / name) for role, name in entry["files"].items()})
                for entry in document["items"]
            )
        except (OSError, ValueError, KeyError, TypeError, ImageError) as error:
            raise OutputError(f"{place} holds no result that can be loaded: {error}") from None
        extra = {name: document[name] for name in document if name not in {*known, "schema", "items"}}
        return Result(Provenance(**fields), items, place, extra)


def provenance(
    model: Model, *, name: str, options: Mapping[str, Any], seed: int, seconds: float, notes: Sequence[str]
) -> Provenance:
    """State what a method ran on."""
    graph, profile = model.graph, model.profile
    notes = [*notes]
    if profile is not None and profile.assumed:
        notes.insert(0, f"ASSUMED profile {profile.name!r}: {'; '.join(profile.reasons)}; state it with --profile")
    return Provenance(
        model={
            "path": None if graph.path is None else str(graph.path),
            "sha256": graph.sha256,
            "opsets": dict(graph.opsets),
            "producer": graph.producer,
            "logits": model.aliases["logits"],
        },
        profile=None if profile is None else profile.to_dict(),
        method={"name": name, "options": dict(options)},
        seed=seed,
        device=model.device,
        versions=model.versions(),
        seconds=seconds,
        notes=tuple(dict.fromkeys(notes)),
    )


def file_names(items: Sequence[Item]) -> dict[str, str]:
    """Picture stem -> file name: plain ASCII, never longer than a file system takes, unique."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for item in items:
        for stem, _ in item.pictures().values():
            if stem in names:
                continue
            plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:80] or "picture"
            name, count = plain, 2
            while name.lower() in taken:
                name, count = f"{plain}-{count}", count + 1
            taken.add(name.lower())
            names[stem] = f"{name}.png"
    return names


def write_folder(
    folder: str | os.PathLike[str],
    document: Mapping[str, Any],
    files: Mapping[str, bytes],
    pictures: Mapping[str, Image8] | None = None,
) -> None:
    """Write a run folder: result.json, ``files``, and ``pictures`` as PNGs that are read back; everything or nothing.

    Errors: OutputError.
    """
    target = Path(folder)
    text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_dir():
            raise OutputError(f"{target} is a file; give a folder for the results")
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        for name, picture in (pictures or {}).items():
            (partial / name).write_bytes(png_bytes(picture))
            if not np.array_equal(read_png(partial / name), picture):
                raise OutputError(f"{target / name} does not read back as it was judged; is the disk sound?")
        for name, data in files.items():
            (partial / name).write_bytes(data)
        (partial / DOCUMENT).write_text(text, encoding="utf-8")
        _move(partial, target)
    except OSError as error:
        raise OutputError(f"the results cannot be written to {target}: {error.strerror or error}") from None
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def _move(partial: Path, target: Path) -> None:
    """Put a whole run folder in place; where one is there already, file by file, the document last."""
    if not target.exists():
        partial.chmod(0o755)
        partial.replace(target)
        return
    files = sorted(partial.iterdir(), key=lambda file: file.name == DOCUMENT)
    for file in files:
        file.replace(target / file.name)
