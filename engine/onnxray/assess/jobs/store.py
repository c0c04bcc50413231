"""The store of finished units: a blob for each, named by its content, and an index that can be made again from them.

    store.json               {"store": 1}: the version of this layout
    objects/ab/ab12...       zlib of JSON {"unit", "rows", "seconds", "machine"}; the name is the unit's key
    index.sqlite             family, key, check, model, number of pictures, seconds

A blob is written under another name, flushed to the disk and renamed; then the index is told. So a process that is
killed at any moment loses the units that it had in hand. The index is made anew where it is not there, is damaged, or
was not closed by the process before. One process writes at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Self, final

from onnxray.assess.jobs.plain_file import plain_file
from onnxray.assess.jobs.unit import Unit
from onnxray.errors import OutputError
from onnxray.errors.short_values import short
from onnxray.results.run_folder import RunFolder, told

VERSION: Final = 1
_VERSION_FILE, _OBJECTS, _INDEX = "store.json", "objects", "index.sqlite"
_LARGEST: Final = 2**26
"""Bytes of a blob's JSON, and of what it is packed to: what says that it is more is no blob of ours."""
_KEY: Final = re.compile("[0-9a-f]{64}")
_TABLES: Final = """
create table if not exists units (
    key text primary key, family text not null, check_ text not null, model text not null,
    images integer not null, seconds real not null
);
create index if not exists families on units (family);
create table if not exists state (name text primary key, value text not null);
"""


@final
@dataclass(frozen=True, kw_only=True)
class Blob:
    """What is kept of a unit. machine: what it was measured on."""

    unit: Unit
    rows: Sequence[Mapping[str, Any]]
    seconds: float
    machine: Mapping[str, Any]


@final
class Store:
    """A store that is held, until ``close``. ``open`` gives one."""

    def __init__(self, path: Path, held: RunFolder) -> None:
        self.path, self._held = path, held
        self._index = self._opened()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Make or open a store. Errors: OutputError: it cannot be written, is a newer version's or another's."""
        place = Path(path)
        _check_version(place)
        held = RunFolder.claim(place)
        try:
            with told(place):
                if not (place / _VERSION_FILE).exists():
                    held.put(_VERSION_FILE, json.dumps({"store": VERSION}).encode())
                (place / _OBJECTS).mkdir(exist_ok=True)
                return cls(place, held)
        except sqlite3.Error as error:
            held.close()
            raise OutputError(f"the store {place} cannot be written: {error}") from None
        except BaseException:
            held.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(sqlite3.Error):
            self._index.execute("delete from state where name = 'open'")
            self._index.commit()
        self._index.close()
        self._held.close()

    def put(self, blob: Blob) -> None:
        """Keep a unit. Errors: OutputError."""
        key = blob.unit.key
        body = {
            "unit": blob.unit.to_dict(), "rows": list(blob.rows), "seconds": blob.seconds, "machine": dict(blob.machine)
        }  # fmt: skip
        text = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
        if len(text) > _LARGEST:
            raise OutputError(f"{blob.unit.check} measured {len(text):,} bytes at once; {_LARGEST:,} are kept at most")
        data = zlib.compress(text)
        place = self._place(key)
        with told(self.path):
            place.parent.mkdir(exist_ok=True)
            beside = self._held.staging / key
            with beside.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(place)
        try:
            self._index.execute("insert or replace into units values (?, ?, ?, ?, ?, ?)", _row(blob))
            self._index.commit()
        except sqlite3.Error as error:
            raise OutputError(f"the store {self.path} cannot be written: {error}") from None

    def blobs(self, family: str) -> Iterator[Blob]:
        """What is kept of a family, in order of key; blobs that are gone or damaged are as if they had never been."""
        for (key,) in self._index.execute(
            "select cast(key as text) from units where family = ? order by key", (family,)
        ).fetchall():
            blob = self._read(key)
            if blob is not None and blob.unit.family == family:
                yield blob
            else:
                self._index.execute("delete from units where key = ?", (key,))

    def measured(self, family: str) -> set[str]:
        """The pictures of a family that are there."""
        return {image for blob in self.blobs(family) for image in blob.unit.images}

    def totals(self) -> dict[str, tuple[int, int, float]]:
        """check@version -> units, pictures and seconds of all that is kept."""
        found = self._index.execute(
            "select cast(check_ as text), count(*), sum(images), total(seconds) from units group by check_"
        )
        return {check: (units, images, seconds) for check, units, images, seconds in found}

    def _place(self, key: str) -> Path:
        return self.path / _OBJECTS / key[:2] / key

    def _read(self, key: str) -> Blob | None:
        if not _KEY.fullmatch(key):  # an index that another wrote: it leads to no other file
            return None
        try:
            packed = zlib.decompressobj()
            text = packed.decompress(plain_file(self._place(key), _LARGEST), _LARGEST)
            body = json.loads(text, parse_constant=_no_number) if packed.eof else {}
            unit = Unit.read(body["unit"])
            rows = body["rows"]
            whole = unit.key == key and isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
            seconds, machine = float(body["seconds"]), dict(body["machine"])
        except (OSError, zlib.error, ValueError, KeyError, TypeError, RecursionError):
            return None
        return Blob(unit=unit, rows=rows, seconds=seconds, machine=machine) if whole else None

    def _opened(self) -> sqlite3.Connection:
        place = self.path / _INDEX
        if place.is_symlink() or (place.exists() and not place.is_file()):
            place.unlink()  # nothing is written where a link leads
        try:
            index = _connected(place)
            clean = index.execute("select 1 from state where name = 'open'").fetchone() is None
            fresh = index.execute("select 1 from state where name = 'made'").fetchone() is None
        except sqlite3.DatabaseError:
            for name in (_INDEX, f"{_INDEX}-wal", f"{_INDEX}-shm"):
                (self.path / name).unlink(missing_ok=True)
            index, clean, fresh = _connected(place), True, True
        index.execute("insert or replace into state values ('open', '1')")
        index.commit()
        if not clean or fresh:
            self._remake(index)
        return index

    def _remake(self, index: sqlite3.Connection) -> None:
        index.execute("delete from units")
        for place in sorted((self.path / _OBJECTS).glob("??/*")):
            blob = self._read(place.name)
            if blob is not None:
                index.execute("insert or replace into units values (?, ?, ?, ?, ?, ?)", _row(blob))
        index.execute("insert or replace into state values ('made', '1')")
        index.commit()


def _row(blob: Blob) -> tuple[str, str, str, str, int, float]:
    unit = blob.unit
    return unit.key, unit.family, unit.check, unit.model, len(unit.images), blob.seconds


def _connected(place: Path) -> sqlite3.Connection:
    index = sqlite3.connect(place)
    index.execute("pragma journal_mode = wal")
    index.execute("pragma synchronous = normal")
    index.execute("pragma trusted_schema = off")
    stated = index.execute("select name, sql from sqlite_master where sql is not null order by name").fetchall()
    if stated and stated != _schema():
        index.close()
        raise sqlite3.DatabaseError("its tables are none of this version's")
    index.executescript(_TABLES)
    return index


@cache
def _schema() -> list[tuple[str, str]]:
    """Names and texts of the tables, as SQLite keeps them."""
    with contextlib.closing(sqlite3.connect(":memory:")) as index:
        index.executescript(_TABLES)
        return index.execute("select name, sql from sqlite_master where sql is not null order by name").fetchall()


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of a blob's")


def _check_version(place: Path) -> None:
    """Errors: OutputError where it is a newer version's, or a folder of something else."""
    try:
        data = plain_file(place / _VERSION_FILE, _LARGEST)
    except FileNotFoundError:
        if place.is_dir() and any(entry.name != ".onnxray-partial" for entry in place.iterdir()):
            raise OutputError(f"{place} holds other files; give a folder of its own for the store") from None
        return
    except (OSError, ValueError) as error:
        raise OutputError(f"the store {place} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        version = json.loads(data)["store"]
    except (ValueError, KeyError, TypeError, RecursionError):
        version = None
    if not isinstance(version, int) or version < 1:
        raise OutputError(f"{place / _VERSION_FILE} is {short(data[:80])}; a store was expected, give another folder")
    if version > VERSION:
        raise OutputError(
            f"the store {place} is of version {version}, written by a newer onnxray; this one knows version {VERSION}: "
            "update, or give another folder"
        )
