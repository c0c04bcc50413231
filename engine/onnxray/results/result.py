"""Results: one frozen envelope for every method, saved to a run folder of PNGs and ``result.json``, and loaded back."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Self

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import ImageError, OutputError
from onnxray.errors.type_checks import as_path, check_files, check_subclass
from onnxray.images.files import read_png
from onnxray.results.earlier_run import DOCUMENT
from onnxray.results.item import Item, ItemT
from onnxray.results.journal import JOURNAL, is_plain_name, read_journal
from onnxray.results.provenance import Provenance
from onnxray.results.saved_files import file_names, item_entry, npy_bytes, plain_values, with_files, write_folder

SCHEMA = 1
_AS_NEEDED = frozenset({"title", "made_from"})
"""What stands in a document where there is something to say."""


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
            **({} if p.title is None else {"title": p.title}),
            **({"made_from": dict(p.made_from)} if p.made_from else {}),
            **self.extra,
            "items": [item_entry(item, names) for item in self.items],
        }
        plain: dict[str, Any] = plain_values(document)
        return plain

    def save(self, folder: str | os.PathLike[str], sheets: Mapping[str, bytes] | None = None) -> Self:
        """Write PNGs, ``sheets`` (file name -> PNG bytes) and result.json; everything or nothing.

        A result that was there is replaced, its files too. Each PNG is read back and compared with what was judged.
        Errors: OutputError.
        """
        names = file_names(self.items)
        pictures = {names[stem]: image for item in self.items for stem, image in item.pictures().values()}
        arrays = {names[stem]: npy_bytes(array) for item in self.items for stem, array in item.arrays().values()}
        target = as_path("the folder", folder, OutputError)
        check_files("the sheets", {} if sheets is None else sheets)
        saved = replace(self, folder=target, extra=with_files(self.extra, sheets or {}))
        write_folder(target, saved.to_dict(), {**arrays, **(sheets or {})}, pictures)
        return saved

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
            fields = {name: document[name] for name in known if name not in _AS_NEEDED}
            fields |= {"title": document.get("title"), "made_from": document.get("made_from", {})}
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
        if not is_plain_name(name):
            raise ValueError(f"the file {name!r} is not in that folder")
        if name.endswith(".npy"):
            return np.asarray(np.load(place / name, allow_pickle=False))
        return read_png(place / name, deep=True)

    return tuple(
        item_type.restore(entry, {role: picture(name) for role, name in entry["files"].items()}) for entry in entries
    )
