"""What a run has finished is kept at once, so that no end of it loses that, and ``resume`` goes on from there.

Each item's files are written beside and renamed, read back and checked; then a line of the journal says so. result.json
is whole at all times: ``"incomplete": true`` stands in it until the run is done. It is written anew as often as costs
a hundredth of the run; what came since stands in the journal.

    with Keeping.into("out", "lots", resume=True) as keep:
        result = LOTS(layer="ip1")(model, images, "inhibit", keep=keep)
        keep.complete(result)
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import OnnxrayError, OutputError
from onnxray.results.earlier_run import DOCUMENT, files_of_earlier_run
from onnxray.results.file_names import FileNames
from onnxray.results.item import Item, ItemT
from onnxray.results.journal import JOURNAL, Ended, Entry, Journal, Seldom, Unit, read_journal
from onnxray.results.loading import restored
from onnxray.results.provenance import Provenance
from onnxray.results.result import Result
from onnxray.results.run_folder import RunFolder, told
from onnxray.results.run_identity import digest, first_difference
from onnxray.results.saved_files import (
    document_bytes,
    item_entry,
    npy_bytes,
    plain_values,
    with_files,
    write_checked,
)

_WORK = ".onnxray-work"
_SHARE = 0.01
"""Share of a run's time that may go into writing result.json anew, and into waiting for the disk."""


@final
class Keeping:
    """Keeps a run's items in a folder. ``into`` makes one; a method is handed it as ``keep``.

    name: of the command. options: of the command itself, beside the method's, which make the run what it is.
    """

    def __init__(self, folder: RunFolder, name: str, *, resume: bool, options: Mapping[str, Any]) -> None:
        self.folder, self.name, self.options = folder, name, options
        self._resume = resume
        self._entries: list[Entry] = []
        self._ended: dict[Unit, Ended] = {}
        self._names = FileNames()
        self._files: dict[str, str] = {}
        self._left: set[str] = set()
        self._put: tuple[str, ...] = ()
        self._run: Mapping[str, Any] = {}
        self._stamp: Callable[[], Provenance] | None = None
        self._journal: int | None = None
        self._begun, self._before = time.perf_counter(), 0.0
        self._told = Seldom(_SHARE)
        self._synced = Seldom(_SHARE)
        self._replaces = self._opened = self._complete = self._works = self._goes_on = self._failed = False

    @classmethod
    @contextmanager
    def into(
        cls,
        folder: str | os.PathLike[str] | RunFolder,
        name: str,
        *,
        resume: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> Iterator[Self]:
        """Hold a folder for a run. resume: go on with the run that was stopped or killed in it, if there is one;
        else a run that is there is replaced, its files too, once there is something in its place.

        Errors: OutputError where another run is writing there, or what is there cannot be gone on with.
        """
        held = folder if isinstance(folder, RunFolder) else RunFolder.claim(folder)
        keep = cls(held, name, resume=resume, options=dict(options or {}))
        try:
            yield keep
        except OnnxrayError:  # nothing to go on with
            keep._failed = True
            raise
        finally:
            keep._close()

    @property
    def path(self) -> Path:
        """The folder."""
        return self.folder.path

    @property
    def work(self) -> Path:
        """For what the run computes on the way: there again where it is gone on with, gone when it is complete."""
        path = self.path / _WORK
        with told(self.path):
            if not self._works:
                if not self._goes_on:
                    shutil.rmtree(path, ignore_errors=True)
                path.mkdir(exist_ok=True)
                self._works = True
                self._open()
        return path

    @property
    def count(self) -> int:
        """How many items are kept."""
        return len(self._entries)

    @property
    def entries(self) -> list[Mapping[str, Any]]:
        """The items' parts of the document, in the order of their units."""
        return [entry.entry for entry in sorted(self._entries, key=lambda entry: entry.unit)]

    def begin(
        self, stamp: Callable[[], Provenance], inputs: Sequence[object], item_type: type[ItemT]
    ) -> tuple[list[tuple[Unit, ItemT]], Mapping[Unit, Ended]]:
        """The items and units that an earlier run of the same kind finished.

        stamp: gives the provenance as it is now. inputs: whatever the numbers depend on beside it: images, goal,
        options that name files. Errors: OutputError where the folder holds another run.
        """
        journal = self.start(stamp, inputs)
        try:
            items = restored(self.path, [entry.entry for entry in journal.entries], item_type)
        except Exception:  # files that are as they were written, but are no item's: begin anew
            self._take(Journal(run=self._run, beside=tuple(sorted({*self._files, *self._left}))))
            self._shut()
            self._open()
            return [], {}
        return [(entry.unit, item) for entry, item in zip(journal.entries, items)], journal.ended

    def start(self, stamp: Callable[[], Provenance], inputs: Sequence[object]) -> Journal:
        """As ``begin``, for a run whose items are plain: what an earlier one finished, as its journal says."""
        self._stamp = stamp
        now = stamp()
        same: dict[str, Any] = {
            "command": self.name, "method": now.method, "model": {"sha256": now.model["sha256"]},
            "logits": now.model["logits"], "profile": now.profile, "device": now.device, "seed": now.seed,
            "options": self.options, "images, targets or files": {"sha256": digest(*inputs)}, "versions": now.versions,
            "machine": now.machine,
        }  # fmt: skip
        self._run = json.loads(json.dumps(plain_values(same), default=repr))
        with told(self.path):
            there = (self.path / DOCUMENT).exists()
            found = read_journal(self.path / JOURNAL) if self._resume else None
            if self._resume and there and (found is None or not self._said_incomplete()):
                raise OutputError(
                    f"{self.path} holds a complete result, so there is nothing to go on with; replace it with "
                    "--overwrite in place of --resume, or give another folder"
                )
            if found is not None:
                difference = first_difference(found.run, self._run)
                if difference is not None:
                    raise OutputError(
                        f"{self.path} holds another run, which this one cannot go on with: {difference}; give another "
                        "folder, or replace it with --overwrite in place of --resume"
                    )
                self._take(found.sound(self.path))
                self._goes_on = True
            else:
                self._take(Journal(run=self._run, beside=tuple(sorted(files_of_earlier_run(self.path)))))
                self._replaces = there
            if not self._replaces:  # a result that is there stays until there is something in its place
                self._open()
        return Journal(run=self._run, entries=tuple(self._entries), ended=dict(self._ended))

    def add(self, unit: Unit, item: Item) -> None:
        """Keep an item. Errors: OutputError; what was kept before stays then."""
        self._names.add(item)
        names = self._names.of
        files: dict[str, bytes | NDArray[Any]] = {names[stem]: image for stem, image in item.pictures().values()}
        files |= {names[stem]: npy_bytes(array) for stem, array in item.arrays().values()}
        stems = {stem: names[stem] for stem, _ in item.files().values()}
        self.add_entry(unit, item_entry(item, names), files, stems)

    def add_entry(
        self,
        unit: Unit,
        entry: Mapping[str, Any],
        files: Mapping[str, bytes | NDArray[Any]],
        stems: Mapping[str, str] | None = None,
    ) -> None:
        """Keep a plain part of the document and its files, arrays as PNGs. Errors: OutputError."""
        with told(self.path):
            for name, data in files.items():
                if name in self._files:
                    continue
                staged = self.folder.staging / name
                if isinstance(data, np.ndarray):
                    data = write_checked(staged, data)
                else:
                    staged.write_bytes(data)
                self._open()
                staged.replace(self.path / name)
                self._files[name] = hashlib.sha256(data).hexdigest()
            self._open()
            kept = Entry(
                number=self.count, unit=unit, entry=plain_values(entry), stems=dict(stems or {}),
                files={name: self._files[name] for name in files},
            )  # fmt: skip
            self._write(kept.line())
            self._entries.append(kept)
            self._told(self._tell)

    def end(self, unit: Unit, notes: Sequence[str] = (), facts: Mapping[str, list[Any]] | None = None) -> None:
        """A unit is finished. Errors: OutputError."""
        ended = Ended(notes=tuple(notes), facts=plain_values(facts or {}), seconds=self._seconds())
        with told(self.path):
            self._open()
            self._write(ended.line(unit))
            self._ended[unit] = ended

    def complete(self, result: Result[Any], sheets: Mapping[str, bytes] | None = None) -> dict[str, Any]:
        """The run is done, or interrupted: write its sheets and the document, which is given. Errors: OutputError."""
        head = replace(result, items=()).to_dict()
        return self.complete_plain({**head, "items": self.entries}, sheets or {})

    def complete_plain(self, document: Mapping[str, Any], sheets: Mapping[str, bytes]) -> dict[str, Any]:
        """As ``complete``, for a document that is plain already; ``interrupted`` in it leaves it incomplete."""
        found: dict[str, Any] = plain_values(with_files(document, {*sheets, *self._put}))
        interrupted = bool(found.get("interrupted"))
        if interrupted:
            items = found.pop("items")
            found |= {"incomplete": True, "items": items}
        with told(self.path):
            self._open()
            if sheets:
                self._write({"beside": list(sheets)})
            for name, data in sheets.items():
                self.folder.put(name, data)
            self.folder.put(DOCUMENT, document_bytes(found))
            self._complete = True
            for name in self._left - self._files.keys() - sheets.keys() - {*self._put}:
                (self.path / name).unlink(missing_ok=True)
            if not interrupted:
                self._shut()
                (self.path / JOURNAL).unlink()
                shutil.rmtree(self.path / _WORK, ignore_errors=True)
        return found

    def put_file(self, name: str, write: Callable[[Path], None]) -> None:
        """Let ``write`` write a file that is too large to be held; it stands beside the items. Errors: OutputError."""
        with told(self.path):
            write(self.folder.staging / name)
            self._write({"beside": [name]})
            (self.folder.staging / name).replace(self.path / name)
            self._put = (*self._put, name)

    def drop(self, names: Sequence[str]) -> None:
        """Let go of files that were kept on the way and stand in the complete result otherwise."""
        self._left |= {name for name in names if self._files.pop(name, None) is not None}

    def _take(self, journal: Journal) -> None:
        """Begin with what is finished."""
        self._entries, self._ended = list(journal.entries), dict(journal.ended)
        self._left = set(journal.beside)
        self._names, self._files = FileNames(), {}
        for entry in self._entries:
            self._files |= entry.files
            for stem, name in entry.stems.items():
                self._names.take(stem, name)
        self._before = journal.seconds

    def _open(self) -> None:
        """Begin the journal in the folder, and then the document, which is that of another run no more."""
        if self._journal is not None:
            return
        lines = [{"run": self._run}, *(entry.line() for entry in self._entries)]
        lines += [ended.line(unit) for unit, ended in self._ended.items()]
        lines += [{"beside": sorted(self._left)}] if self._left else []
        self.folder.put(JOURNAL, b"".join(map(_line, lines)))
        self._journal = os.open(self.path / JOURNAL, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        self._opened = True
        self._tell()

    def _write(self, line: Mapping[str, Any]) -> None:
        """A whole line more, or none."""
        assert self._journal is not None
        size, data = os.fstat(self._journal).st_size, _line(line)
        try:
            while data:
                data = data[os.write(self._journal, data) :]
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(self._journal, size)
            raise
        journal = self._journal
        self._synced(lambda: os.fsync(journal))

    def _tell(self) -> None:
        """Write the document as it is now."""
        assert self._stamp is not None
        head = Result(self._stamp(), (), None, {"incomplete": True}).to_dict()
        self.folder.put(DOCUMENT, document_bytes({**head, "items": self.entries}))

    def _seconds(self) -> float:
        return round(self._before + time.perf_counter() - self._begun, 3)

    def _said_incomplete(self) -> bool:
        try:
            return json.loads((self.path / DOCUMENT).read_bytes()).get("incomplete") is True
        except (ValueError, AttributeError):
            return False

    def _shut(self) -> None:
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None

    def _close(self) -> None:
        """The end, whatever it was: what is finished is told; where that is nothing, nothing stays."""
        kept = self._complete or bool(self._entries or self._left) or self._replaces
        if self._works and not self._complete:
            if self._failed and not kept and not self._ended:  # units that gave no items are finished too
                shutil.rmtree(self.path / _WORK, ignore_errors=True)
            kept = kept or (self.path / _WORK).exists()
        with contextlib.suppress(OSError):
            if self._journal is not None and not self._complete and self._entries:
                self._tell()
        self._shut()
        if not kept and self._opened:
            for name in (JOURNAL, DOCUMENT):
                with contextlib.suppress(OSError):
                    (self.path / name).unlink()
        self.folder.close(kept=kept)


def _line(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
