"""The journal of a run: what is finished so far, a line of JSON each, so that a run that is killed can be gone on with.

    {"run": ...}                                                    what the run is; first
    {"item": number, "unit": [...], "entry": ..., "files": ..., "stems": ...}    an item: its part of the document
    {"unit": [...], "notes": [...], "facts": {...}, "seconds": ...} a unit of the run is finished, with all its items
    {"beside": [...]}                                               further files that were written

Only whole lines count, and an item only where its files are as they were written: their sha256 stands beside them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

JOURNAL = "items.jsonl"

Unit = tuple[int, ...]
"""Where a part of a run stands in it: its number, the number of a part of that, and so on; () is the whole run."""


@final
class Seldom:
    """Does something as often as takes no more than a share of the time, and at least at the first call."""

    def __init__(self, share: float) -> None:
        self._share, self._next = share, 0.0

    def __call__(self, work: Callable[[], None]) -> None:
        """Do the work, if it is time."""
        begun = time.perf_counter()
        if begun >= self._next:
            work()
            ended = time.perf_counter()
            self._next = ended + (ended - begun) / self._share


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An item as it was written: its part of the document, its files with their sha256, its stems' file names."""

    number: int
    unit: Unit
    entry: Mapping[str, Any]
    files: Mapping[str, str]
    stems: Mapping[str, str] = field(default_factory=dict)

    def line(self) -> Mapping[str, Any]:
        """As it stands in the journal."""
        return {
            "item": self.number, "unit": self.unit, "entry": self.entry, "files": self.files, "stems": self.stems
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A unit that is finished: what was noted in it, what was found beside the items, seconds of the run by then."""

    notes: tuple[str, ...] = ()
    facts: Mapping[str, list[Any]] = field(default_factory=dict)
    seconds: float = 0.0

    def line(self, unit: Unit) -> Mapping[str, Any]:
        """As it stands in the journal."""
        return {"unit": unit, "notes": self.notes, "facts": self.facts, "seconds": self.seconds}


@dataclass(frozen=True, kw_only=True)
class Journal:
    """What a journal holds: the run, its items in order, the units that ended, and further files."""

    run: Mapping[str, Any]
    entries: tuple[Entry, ...] = ()
    ended: Mapping[Unit, Ended] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """What the run had taken when the last of its units ended."""
        return max((ended.seconds for ended in self.ended.values()), default=0.0)

    def sound(self, folder: Path) -> Journal:
        """What can be gone on with: units that ended, up to the first item whose files are not as they were written.

        ``beside`` gets the files that are left over.
        """
        ended = dict(self.ended)
        for entry in self.entries:
            if any(digest_of_file(folder / name) != digest for name, digest in entry.files.items()):
                before = {unit for unit in ended if unit < entry.unit and unit != entry.unit[: len(unit)]}
                ended = {unit: ended[unit] for unit in before}
                break
        kept = tuple(
            entry for entry in self.entries if any(entry.unit[:k] in ended for k in range(1, len(entry.unit) + 1))
        )
        files = {name for entry in kept for name in entry.files}
        left = {name for entry in self.entries for name in entry.files} | {*self.beside}
        renumbered = tuple(
            Entry(number=k, unit=e.unit, entry=e.entry, files=e.files, stems=e.stems) for k, e in enumerate(kept)
        )
        return Journal(run=self.run, entries=renumbered, ended=ended, beside=tuple(sorted(left - files)))


def read_journal(path: Path) -> Journal | None:
    """Read a journal, up to the first line that is not whole. None where there is none."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    run: Mapping[str, Any] | None = None
    entries: dict[int, Entry] = {}
    ended: dict[Unit, Ended] = {}
    beside: list[str] = []
    for text in data.split(b"\n")[:-1]:
        try:
            line = json.loads(text)
            if "run" in line:
                run = dict(line["run"])
            elif "item" in line:
                entry = Entry(
                    number=int(line["item"]), unit=tuple(map(int, line["unit"])), entry=dict(line["entry"]),
                    files=_plain_names(line["files"]), stems=dict(line["stems"]),
                )  # fmt: skip
                entries[entry.number] = entry
            elif "beside" in line:
                beside += _plain_names(dict.fromkeys(line["beside"], ""))
            else:
                ended[tuple(map(int, line["unit"]))] = Ended(
                    notes=tuple(map(str, line["notes"])), facts=dict(line["facts"]), seconds=float(line["seconds"])
                )
        except (ValueError, KeyError, TypeError, RecursionError):
            break
    if run is None:
        return None
    ordered = sorted(entries.values(), key=lambda entry: (entry.unit, entry.number))
    return Journal(run=run, entries=tuple(ordered), ended=ended, beside=tuple(beside))


def digest_of_file(path: Path) -> str | None:
    """The sha256 of a file's bytes; None where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def is_plain_name(name: str) -> bool:
    """Whether a name that stands in a file is one of a file in the same folder, and leads nowhere else."""
    return name not in {"", ".", ".."} and "\0" not in name and Path(name).name == name


def _plain_names(files: Mapping[str, Any]) -> dict[str, str]:
    """Names of files in the folder itself; a journal that names others is not ours."""
    if not all(map(is_plain_name, files)):
        raise ValueError(f"{list(files)} name files elsewhere")
    return {str(name): str(digest) for name, digest in files.items()}
