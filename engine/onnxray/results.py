"""Results: one frozen envelope for every method, saved to a run folder of PNGs and ``result.json``, and loaded back."""

from __future__ import annotations

import functools
import io
import json
import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.checks import as_path, check_files, check_subclass
from onnxray.errors import ImageError, OutputError
from onnxray.image_files import png_bytes, read_png
from onnxray.journal import JOURNAL, read_journal
from onnxray.machine import describe_machine
from onnxray.model import Model
from onnxray.run_folder import RunFolder, told
from onnxray.runtime import providers_for
from onnxray.shown_text import json_text
from onnxray.structure import closing_sigmoid, closing_softmax, verdict_output

SCHEMA = 1
DOCUMENT = "result.json"
_LONGEST = 80

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
    machine: Mapping[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    interrupted: bool = False


class Item(ABC):
    """One finding of a method: its numbers and its pictures."""

    @abstractmethod
    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON; a number that could not be had is None, with a ``reason`` beside it."""

    @abstractmethod
    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """Role -> (file stem, 8-bit CHW picture or 16-bit grey one). Equal stems are one file, written once."""

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """Role -> (file stem, numbers), saved as .npy; none by default."""
        return {}

    @final
    def files(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """Pictures and arrays."""
        return {**self.pictures(), **self.arrays()}

    @classmethod
    @abstractmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of the document and its pictures (and arrays), by role."""


ItemT = TypeVar("ItemT", bound=Item)


@dataclass(frozen=True)
class Result(Generic[ItemT]):
    """A method's items and where they came from. ``folder`` is where they were saved, if they were."""

    provenance: Provenance
    items: tuple[ItemT, ...]
    folder: Path | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def incomplete(self) -> bool:
        """Whether these are the items of a run that did not come to its end."""
        return bool(self.extra.get("incomplete"))

    def to_dict(self) -> dict[str, Any]:
        """The document: paths in it are relative to the run folder; floats are plain numbers, never NaN."""
        p = self.provenance
        names = file_names(self.items)
        document = {
            "schema": SCHEMA,
            "command": list(p.command),
            "model": dict(p.model),
            "profile": None if p.profile is None else dict(p.profile),
            "method": dict(p.method),
            "seed": p.seed,
            "device": p.device,
            "versions": dict(p.versions),
            "seconds": p.seconds,
            "machine": dict(p.machine),
            "notes": list(p.notes),
            "interrupted": p.interrupted,
            **self.extra,
            "items": [item_entry(item, names) for item in self.items],
        }
        plain: dict[str, Any] = plain_values(document)
        return plain

    def save(self, folder: str | os.PathLike[str], sheets: Mapping[str, bytes] | None = None) -> Self:
        """Write PNGs, ``sheets`` (file name -> PNG bytes) and result.json; everything or nothing.

        Each PNG is read back and compared with what was judged. Errors: OutputError.
        """
        names = file_names(self.items)
        pictures = {names[stem]: image for item in self.items for stem, image in item.pictures().values()}
        arrays = {names[stem]: npy_bytes(array) for item in self.items for stem, array in item.arrays().values()}
        target = as_path("the folder", folder, OutputError)
        check_files("the sheets", {} if sheets is None else sheets)
        write_folder(target, self.to_dict(), {**arrays, **(sheets or {})}, pictures)
        return replace(self, folder=target)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], item_type: type[ItemT]) -> Result[ItemT]:
        """Load what ``save`` wrote, or what a run has finished so far: ``incomplete`` says so then.

        Errors: OutputError where the folder holds no such result.
        """
        place = as_path("the folder", folder, OutputError)
        check_subclass("the type of items", item_type, Item)
        try:
            document = json.loads((place / DOCUMENT).read_bytes())
            if document["schema"] != SCHEMA:
                raise OutputError(f"{place} holds a result of schema {document['schema']}; {SCHEMA} is known here")
            known = Provenance.__dataclass_fields__
            fields = {name: document[name] for name in known}
            fields |= {name: tuple(fields[name]) for name in ("command", "notes")}
            entries = document["items"]
            journal = read_journal(place / JOURNAL) if document.get("incomplete") else None
            if journal is not None and len(journal.entries) > len(entries):
                entries = [entry.entry for entry in journal.entries]
            items = restored(place, entries, item_type)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ImageError) as error:
            said = f"{error} is missing" if isinstance(error, KeyError) else error
            raise OutputError(f"{place} holds no result that can be loaded: {said}") from None
        extra = {name: document[name] for name in document if name not in {*known, "schema", "items"}}
        return Result(Provenance(**fields), items, place, extra)


def restored(place: Path, entries: Sequence[Mapping[str, Any]], item_type: type[ItemT]) -> tuple[ItemT, ...]:
    """Items from their parts of a document and their files in a folder. Errors: those of files and of ``restore``."""

    @functools.cache
    def picture(name: str) -> NDArray[Any]:
        if Path(name).name != name:
            raise ValueError(f"the file {name!r} is not in that folder")
        if name.endswith(".npy"):
            return np.asarray(np.load(place / name, allow_pickle=False))
        return read_png(place / name, deep=True)

    return tuple(
        item_type.restore(entry, {role: picture(name) for role, name in entry["files"].items()}) for entry in entries
    )


def provenance(
    model: Model, *, name: str, options: Mapping[str, Any], seed: int, seconds: float, notes: Sequence[str]
) -> Provenance:
    """State what a method ran on."""
    graph, profile = model.graph, model.profile
    notes = [*notes]
    if profile is not None and profile.assumed:
        notes.insert(0, f"ASSUMED profile {profile.name!r}: {'; '.join(profile.reasons)}; state it with --profile")
    output = verdict_output(graph)
    closed = closing_softmax(graph, output) or closing_sigmoid(graph, output)
    if closed is None and (profile is None or profile.labels is None):
        notes.append(f"no softmax closes the graph: its output {output!r} is taken as one score a class")
    notes += model.notes
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
        machine={
            **describe_machine(),
            "u8s8_saturates": model.saturates,
            "providers": list(providers_for(model.device)),
        },
        notes=tuple(dict.fromkeys(notes)),
    )


def file_names(items: Sequence[Item]) -> dict[str, str]:
    """Stem -> file name (.png, or .npy for numbers): plain ASCII, not longer than a file system takes, unique."""
    names = FileNames()
    for item in items:
        names.add(item)
    return names.of


class FileNames:
    """Names for the files of items that come one after the other. of: stem -> file name."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}
        self._taken: set[str] = set()

    def take(self, stem: str, name: str) -> None:
        """A name that a stem has already."""
        self.of[stem] = name
        self._taken.add(Path(name).stem.lower())

    def add(self, item: Item) -> None:
        """Name the files of one more item; equal stems are one file, names that differ in case alone stay apart."""
        numbers = {stem for stem, _ in item.arrays().values()}
        for stem, _ in item.files().values():
            if stem in self.of:
                continue
            plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-") or "picture"
            if len(plain) > _LONGEST:
                plain = f"{plain[: _LONGEST // 2]}--{plain[-_LONGEST // 2 + 2 :]}"
            name, count = plain, 2
            while name.lower() in self._taken:
                name, count = f"{plain}-{count}", count + 1
            self.take(stem, f"{name}.npy" if stem in numbers else f"{name}.png")


def item_entry(item: Item, names: Mapping[str, str]) -> dict[str, Any]:
    """The item's part of the document. names: stem -> file name."""
    return {**_stated(item.numbers()), "files": {role: names[stem] for role, (stem, _) in item.files().items()}}


def npy_bytes(array: NDArray[Any]) -> bytes:
    """Numbers as a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def write_folder(
    folder: str | os.PathLike[str],
    document: Mapping[str, Any],
    files: Mapping[str, bytes],
    pictures: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Write a run folder: result.json, ``files``, and ``pictures`` as PNGs that are read back; everything or nothing.

    Errors: OutputError.
    """
    held = RunFolder.claim(folder)
    done = False
    try:
        with told(held.path):
            partial = held.staging / "new"
            partial.mkdir()
            for name, picture in (pictures or {}).items():
                write_checked(partial / name, picture)
            for name, data in files.items():
                (partial / name).write_bytes(data)
            (partial / DOCUMENT).write_bytes(document_bytes(document))
            _move(partial, held.path)
            done = True
            (held.path / JOURNAL).unlink(missing_ok=True)  # of a run that was killed, and is replaced now
    finally:
        held.close(kept=done)


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """The document as it stands in result.json. Errors: ValueError where a number is not finite."""
    return json_text(plain_values(document)).encode()


def write_checked(path: Path, picture: NDArray[Any]) -> bytes:
    """Write a PNG and read it back: a claim is made on what was saved, bit for bit. Gives its bytes."""
    data = png_bytes(picture)
    path.write_bytes(data)
    try:
        same = np.array_equal(read_png(path, deep=True), picture)
    except ImageError:
        same = False
    if not same:
        raise OutputError(f"{path.name} does not read back as it was judged; is the disk sound?")
    return data


def _move(partial: Path, target: Path) -> None:
    """Put a whole run in its folder, file by file, or not at all.

    The document that was there goes first and the new one comes last: what is cut short has none, rather than a wrong
    one.
    """
    names = sorted((file.name for file in partial.iterdir()), key=lambda name: (name == DOCUMENT, name))
    aside = partial / "replaced"
    aside.mkdir()
    undo: list[tuple[Path, Path]] = []

    def move(source: Path, place: Path) -> None:
        source.replace(place)
        undo.append((place, source))

    try:
        for name in reversed(names):
            if (target / name).is_file():
                move(target / name, aside / name)
        for name in names:
            move(partial / name, target / name)
    except BaseException:
        for place, source in reversed(undo):
            place.replace(source)
        raise


def _stated(numbers: dict[str, Any]) -> dict[str, Any]:
    """Numbers that are not finite become None, with the reason beside them."""
    lost = [name for name, value in numbers.items() if isinstance(value, float) and not math.isfinite(value)]
    if not lost:
        return numbers
    reasons = [numbers.get("reason"), f"not finite: {', '.join(lost)}"]
    return numbers | dict.fromkeys(lost) | {"reason": "; ".join(reason for reason in reasons if reason)}


def plain_values(value: Any) -> Any:
    """What JSON reads back as it was written: lists for tuples, text for paths and for the keys of objects."""
    if isinstance(value, Mapping):
        return {str(key): plain_values(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(entry) for entry in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, os.PathLike) else value
