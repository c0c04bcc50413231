"""Results: one frozen envelope for every method, saved to a run folder of PNGs and ``result.json``, and loaded back."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Self, overload

from PIL.Image import Image

from onnxray.errors import InputError, NoSuchItem, OutputError
from onnxray.errors.short_values import short
from onnxray.errors.type_checks import as_path, check_files, check_subclass
from onnxray.notebooks.displayed import Displayed, displays, one_line
from onnxray.notebooks.surroundings import show_picture
from onnxray.notebooks.tables import Tabular, flat
from onnxray.results.file_names import file_names
from onnxray.results.item import Item, ItemT
from onnxray.results.loading import SCHEMA, check_unchanged, refused, restored, stored_document
from onnxray.results.provenance import AS_NEEDED, Provenance, check_provenance
from onnxray.results.saved_files import PAGE, item_entry, npy_bytes, plain_values, with_files, write_folder


@dataclass(frozen=True)
class Result(Displayed, Tabular, Generic[ItemT]):
    """A method's items and where they came from. ``folder`` is where they were saved, if they were.

    It is a sequence of its items: ``len(result)``, ``for item in result``, ``result[0]``, ``result[:3]``. At the end of
    a notebook's cell it shows its contact sheet, a table and, folded, where it came from. ``to_pandas`` and ``to_csv``
    give the table, a row an item; ``sheet`` the contact sheet, ``show`` shows it.
    """

    provenance: Provenance
    items: tuple[ItemT, ...]
    folder: Path | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    def __bool__(self) -> bool:
        return True  # a run that found nothing is a result too

    def __iter__(self) -> Iterator[ItemT]:
        return iter(self.items)

    @overload
    def __getitem__(self, place: int) -> ItemT: ...
    @overload
    def __getitem__(self, place: slice) -> Result[ItemT]: ...
    def __getitem__(self, place: int | slice) -> ItemT | Result[ItemT]:
        """An item, or a result of some of them. What stands beside the items is the whole run's, which a note says."""
        if isinstance(place, slice):
            items = self.items[place]
            note = f"{len(items)} of the {len(self)} items of a run; what stands beside the items is of all of them"
            stamp = replace(self.provenance, notes=(*self.provenance.notes, note))
            return replace(self, provenance=stamp, items=items, folder=None)
        if isinstance(place, bool) or not hasattr(place, "__index__"):
            raise InputError(f"an item is asked for by {short(place)}; a whole number or a slice was expected")
        if not -len(self) <= place < len(self):
            raise NoSuchItem(f"there is no item {short(place)}; the result has {len(self)}")
        return self.items[place]

    def __repr__(self) -> str:
        name, count = self.provenance.method["name"], len(self)
        ended = ", incomplete" if self.incomplete else ", interrupted" if self.provenance.interrupted else ""
        saved = "" if self.folder is None else f", in {self.folder}"
        facts = f"{name} on {self.provenance.model_name}: {count} item{'' if count == 1 else 's'}{ended}{saved}"
        return one_line(self, facts)

    def rows(self) -> list[dict[str, Any]]:
        """The items as they stand in result.json, a flat dict each: ``origin.label``, ``peak.0``, ``files.image``.

        Lists of more than four numbers are left out; numbers that could not be had are None.
        """
        return [flat(entry) for entry in self.to_dict()["items"]]

    def sheet(self, page: int = 1) -> Image:
        """The contact sheet as a PIL image, as it stands in the run folder; long runs have further pages.

        Errors: InputError where there is no such page, or nothing that can be drawn.
        """
        drawn: Image = displays().sheet(self, page)
        return drawn

    def show(self, page: int = 1) -> None:
        """Show the contact sheet: in a notebook's output, else in the system's picture viewer.

        Errors: as for ``sheet``; OutputError where there is no viewer.
        """
        show_picture(self.sheet(page))

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
            **({} if p.background is None else {"background": p.background}),
            **({"made_from": dict(p.made_from)} if p.made_from else {}),
            **self.extra,
            "items": [item_entry(item, names) for item in self.items],
        }
        plain: dict[str, Any] = plain_values(document)
        return plain

    def save(self, folder: str | os.PathLike[str], sheets: Mapping[str, bytes] | None = None) -> Self:
        """Write what the command writes: PNGs, the contact sheet, index.html and result.json; everything or nothing.

        sheets: file name -> PNG bytes, in place of the contact sheet. A result that was there is replaced, its files
        too. Each PNG is read back and compared with what was judged. Errors: OutputError.
        """
        names = file_names(self.items)
        pictures = {names[stem]: image for item in self.items for stem, image in item.pictures().values()}
        arrays = {names[stem]: npy_bytes(array) for item in self.items for stem, array in item.arrays().values()}
        target = as_path("the folder", folder, OutputError)
        check_files("the sheets", {} if sheets is None else sheets)
        beside: Mapping[str, bytes] = displays().beside(self) if sheets is None else sheets
        saved = replace(self, folder=target, extra=with_files(self.extra, [*beside, PAGE]))
        document = saved.to_dict()
        page = functools.partial(displays().page, document, files=beside)
        write_folder(target, document, {**arrays, **beside}, pictures, page)
        return saved

    @classmethod
    def load(cls, folder: str | os.PathLike[str], item_type: type[ItemT]) -> Result[ItemT]:
        """Load what ``save`` wrote, or what a run has finished so far: ``incomplete`` says so then.

        ``onnxray.load`` does it without being told the type. Errors: OutputError where the folder holds no such result,
        where a newer onnxray wrote it, and where a file is missing or was changed.
        """
        place = as_path("the folder", folder, OutputError)
        check_subclass("the type of items", item_type, Item)
        return result_of(stored_document(place), place, item_type)


def result_of(document: Mapping[str, Any], place: Path, item_type: type[ItemT]) -> Result[ItemT]:
    """The result that a folder's document states, with its files read. Errors: OutputError."""
    with refused(place):
        known = Provenance.__dataclass_fields__
        fields = {name: document[name] for name in known if name in document or name not in AS_NEEDED}
        fields |= {name: tuple(fields[name]) for name in ("command", "notes")}
        check_provenance(fields)
        entries = document["items"]
        items = restored(place, entries, item_type)
        check_unchanged(place, entries, items)
        extra = {name: document[name] for name in document if name not in {*known, "schema", "items"}}
        return Result(Provenance(**fields), items, place, extra)
