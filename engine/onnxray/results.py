"""Results: one frozen envelope for every method, saved to a run folder of PNGs and ``result.json``, and loaded back."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import math
import os
import re
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from onnxray.checks import as_path, brief
from onnxray.errors import ImageError, InputError, OutputError
from onnxray.image_files import png_bytes, read_png
from onnxray.machine import describe_machine
from onnxray.model import Model
from onnxray.runtime import providers_for
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

    def to_dict(self) -> dict[str, Any]:
        """The document: paths in it are relative to the run folder; floats are plain numbers, never NaN."""
        p = self.provenance
        names = file_names(self.items)
        items = [
            {**_stated(item.numbers()), "files": {role: names[stem] for role, (stem, _) in _files(item).items()}}
            for item in self.items
        ]
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
            "items": items,
        }
        plain: dict[str, Any] = _plain(document)
        return plain

    def save(self, folder: str | os.PathLike[str], sheets: Mapping[str, bytes] | None = None) -> Self:
        """Write PNGs, ``sheets`` (file name -> PNG bytes) and result.json; everything or nothing.

        Each PNG is read back and compared with what was judged. Errors: OutputError.
        """
        names = file_names(self.items)
        pictures = {names[stem]: image for item in self.items for stem, image in item.pictures().values()}
        arrays = {names[stem]: _npy(array) for item in self.items for stem, array in item.arrays().values()}
        target = as_path("the folder", folder)
        given = sheets if isinstance(sheets, Mapping) or sheets is None else {"": None}
        if not all(isinstance(data, bytes) and isinstance(name, str) for name, data in (given or {}).items()):
            raise InputError(f"the sheets are {brief(sheets)}; a dict of PNG bytes by file name was expected")
        write_folder(target, self.to_dict(), {**arrays, **(sheets or {})}, pictures)
        return replace(self, folder=target)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], item_type: type[ItemT]) -> Result[ItemT]:
        """Load what ``save`` wrote. Errors: OutputError where the folder holds no such result."""
        place = as_path("the folder", folder)
        if not (isinstance(item_type, type) and issubclass(item_type, Item)):
            raise InputError(f"the type of items is {brief(item_type)}; a subclass of Item was expected")

        @functools.cache
        def picture(name: str) -> NDArray[Any]:
            if Path(name).name != name:
                raise ValueError(f"the file {name!r} is not in that folder")
            if name.endswith(".npy"):
                return np.asarray(np.load(place / name, allow_pickle=False))
            return read_png(place / name, deep=True)

        try:
            document = json.loads((place / DOCUMENT).read_bytes())
            if document["schema"] != SCHEMA:
                raise OutputError(f"{place} holds a result of schema {document['schema']}; {SCHEMA} is known here")
            known = Provenance.__dataclass_fields__
            fields = {name: document[name] for name in known}
            fields |= {name: tuple(fields[name]) for name in ("command", "notes")}
            items = tuple(
                item_type.restore(entry, {role: picture(name) for role, name in entry["files"].items()})
                for entry in document["items"]
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ImageError) as error:
            said = f"{error} is missing" if isinstance(error, KeyError) else error
            raise OutputError(f"{place} holds no result that can be loaded: {said}") from None
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
    output = verdict_output(graph)
    closed = closing_softmax(graph, output) or closing_sigmoid(graph, output)
    if closed is None and (profile is None or profile.labels is None):
        notes.append(f"no softmax closes the graph: its output {output!r} is taken as one score a class")
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
        machine={**describe_machine(), "providers": list(providers_for(model.device))},
        notes=tuple(dict.fromkeys(notes)),
    )


def file_names(items: Sequence[Item]) -> dict[str, str]:
    """Stem -> file name (.png, or .npy for numbers): plain ASCII, not longer than a file system takes, unique."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for item in items:
        numbers = {stem for stem, _ in item.arrays().values()}
        for stem, _ in _files(item).values():
            if stem in names:
                continue
            plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-") or "picture"
            if len(plain) > _LONGEST:
                plain = f"{plain[: _LONGEST // 2]}--{plain[-_LONGEST // 2 + 2 :]}"
            name, count = plain, 2
            while name.lower() in taken:
                name, count = f"{plain}-{count}", count + 1
            taken.add(name.lower())
            names[stem] = f"{name}.npy" if stem in numbers else f"{name}.png"
    return names


def _files(item: Item) -> dict[str, tuple[str, NDArray[Any]]]:
    return {**item.pictures(), **item.arrays()}


def _npy(array: NDArray[Any]) -> bytes:
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
    target = Path(folder)
    text = json.dumps(_plain(document), indent=1, allow_nan=False, ensure_ascii=False)
    partial: Path | None = None
    made: list[Path] = []
    done = False
    try:
        made = [place for place in (target.parent, *target.parent.parents) if not place.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_dir():
            raise OutputError(f"{target} is a file; give a folder for the results")
        partial = target.parent / f".onnxray-{uuid.uuid4().hex}"
        partial.mkdir()
        for name, picture in (pictures or {}).items():
            _write_checked(partial / name, picture)
        for name, data in files.items():
            (partial / name).write_bytes(data)
        # A lone surrogate, from a path that is no UTF-8 or from a label, becomes the JSON escape that it is.
        (partial / DOCUMENT).write_bytes(text.encode("utf-8", "backslashreplace"))
        _move(partial, target)
        done = True
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise OutputError(f"the results cannot be written to {target}: {said}") from None
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
        if not done:
            for place in made:
                with contextlib.suppress(OSError):
                    place.rmdir()


def _write_checked(path: Path, picture: NDArray[Any]) -> None:
    """Write a PNG and read it back: a claim is made on what was saved, bit for bit."""
    path.write_bytes(png_bytes(picture))
    try:
        same = np.array_equal(read_png(path, deep=True), picture)
    except ImageError:
        same = False
    if not same:
        raise OutputError(f"{path.name} does not read back as it was judged; is the disk sound?")


def _move(partial: Path, target: Path) -> None:
    """Put a whole run folder in place; where one is there already, file by file, or not at all.

    The document that was there goes first and the new one comes last: what is cut short has none, rather than a wrong
    one.
    """
    if not target.exists():
        partial.replace(target)
        return
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


def _plain(value: Any) -> Any:
    """What JSON reads back as it was written: lists for tuples, text for paths and for the keys of objects."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, os.PathLike) else value
