"""What was checked already, in a folder of the user's own; whatever another could have put there is not believed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import stat
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from onnxray.engines.integer_products import saturates
from onnxray.engines.machine import describe_machine
from onnxray.graph.facts import Graph

SCHEMA = 2
_LARGEST = 2**20
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_OPENED = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_OWNED = hasattr(os, "getuid")
"""Whether files have owners that we can ask for. Elsewhere (Windows) the folder is the user's by the system's rules."""

_log = logging.getLogger("onnxray")


class Memory:
    """What was found for one file by one check before, remembered in the user's cache folder.

    An entry counts only whole: it holds its schema, every part of its key and every fact of the right type, with finite
    numbers; it is a regular file of this user's, which no other may write, in folders of which the same is true. The
    key: the SHA-256 of the model and of its external data, ``described`` (the question, the profile, versions, the
    device), the processor and what it makes of u8 x s8 products. Threads are no part of it: they move sums by
    roundings, a thousand times less than a check lets pass. What does not count is as if it were not there.
    """

    def __init__(self, graph: Graph, described: Mapping[str, Any]) -> None:
        machine = {key: value for key, value in describe_machine().items() if key != "cores"}
        known = {"files": dict(graph.identity), "machine": machine, "u8s8_saturates": saturates(graph), **described}
        text = json.dumps(known, sort_keys=True, default=str)
        self._known: dict[str, Any] = json.loads(text)
        folder = cache_folder()
        name = f"{hashlib.sha256(text.encode()).hexdigest()}.json"
        self._file = None if folder is None else folder / "verified" / name

    def recall(self, facts: Mapping[str, type]) -> Mapping[str, Any] | None:
        """What was found for this very file by this very check before; None where nothing was that counts.

        facts: the names of what must be there, and their types.
        """
        if self._file is None:
            return None
        try:
            with _folder(self._file.parent, make=False) as folder:
                entry = json.loads(_read(self._file, folder))
        except (OSError, ValueError, RecursionError) as error:
            if not isinstance(error, FileNotFoundError):
                _log.info("the note %s is not believed: %s", self._file, error)
            return None
        if not isinstance(entry, dict) or entry.keys() != {"schema", "key", "found"}:
            return None
        found = entry["found"]
        if entry["schema"] != SCHEMA or entry["key"] != self._known or not isinstance(found, dict):
            return None
        if found.keys() != facts.keys() or any(type(found[name]) is not kind for name, kind in facts.items()):
            return None
        return found if all(math.isfinite(v) for v in found.values() if isinstance(v, float)) else None

    def remember(self, found: Mapping[str, Any]) -> None:
        """Note what was found. A cache that cannot be written costs time, not truth."""
        if self._file is None:
            return
        text = json.dumps({"schema": SCHEMA, "key": self._known, "found": dict(found)}, default=str)
        try:
            with _folder(self._file.parent, make=True) as folder:
                _write(self._file, folder, text.encode())
        except OSError as error:
            _log.info("the check is not remembered: %s", error)


def cache_folder() -> Path | None:
    """``ONNXRAY_CACHE`` (``~`` expanded), else the platform's own place for caches; None where there is no such place.

    A variable that is empty counts as not set. A path that is not absolute would be another one in each folder that is
    worked in, one that a stranger packed perhaps: then nothing is remembered. So, too, for a user without a home.
    """
    try:
        own, home = os.environ.get("ONNXRAY_CACHE"), Path.home
        if own:
            folder = Path(own).expanduser()
        elif sys.platform == "win32":
            folder = Path(os.environ.get("LOCALAPPDATA") or home() / "AppData" / "Local") / "onnxray"
        elif sys.platform == "darwin":
            folder = home() / "Library" / "Caches" / "onnxray"
        else:
            folder = Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache") / "onnxray"
    except RuntimeError as error:  # no HOME, and no entry in the list of users
        _log.info("no check is remembered: %s", error)
        return None
    if not folder.is_absolute() or "\0" in str(folder):
        _log.info("no check is remembered: the cache folder %r is no absolute path", str(folder))
        return None
    return folder


@contextlib.contextmanager
def _folder(path: Path, *, make: bool) -> Iterator[int | None]:
    """The folder of the notes, held open so that none can be put in its place; None where systems have no such thing.

    Errors: OSError where it, or the cache folder around it, belongs to another or may be written by others.
    """
    if make:
        _make(path.parent)
    if not _OWNED:
        if make:
            path.mkdir(exist_ok=True)
        yield None
        return
    around = _open_folder(path.parent)
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path.name, 0o700, dir_fd=around)
                os.chmod(path.name, 0o700, dir_fd=around)
        inner = _open_folder(path, path.name, around)
    finally:
        os.close(around)
    try:
        yield inner
    finally:
        os.close(inner)


def _open_folder(path: Path, name: str | None = None, around: int | None = None) -> int:
    entry = os.stat(name or path, dir_fd=around, follow_symlinks=False)
    if stat.S_ISLNK(entry.st_mode):  # the user may have moved the cache to another disk; nobody else may
        _check_owner(entry, path, anyone_may_write=True)
    number = os.open(name or path, os.O_RDONLY | os.O_DIRECTORY | _OPENED, dir_fd=around)
    try:
        _check_owner(os.fstat(number), path)
    except OSError:
        os.close(number)
        raise
    return number


def _check_owner(found: os.stat_result, path: Path, *, anyone_may_write: bool = False) -> None:
    if found.st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to user {found.st_uid}")
    if found.st_mode & _OTHERS_WRITE and not anyone_may_write:
        raise PermissionError(f"{path} may be written by others")


def _make(path: Path) -> None:
    """Make a folder and those around it, for this user alone whatever the umask; what is there stays as it is."""
    for place in (*reversed(path.parents), path):
        try:
            place.mkdir(0o700)
        except FileExistsError:
            continue
        except OSError:
            if not place.is_dir():  # a root that is read-only says so of what is there as well
                raise
        else:
            place.chmod(0o700)


def _read(file: Path, folder: int | None) -> bytes:
    name = file if folder is None else Path(file.name)
    number = os.open(name, os.O_RDONLY | _NO_LINK | _OPENED, dir_fd=folder)
    with os.fdopen(number, "rb") as opened:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            raise OSError(f"{file} is no such note")
        if _OWNED:
            _check_owner(found, file)
        return opened.read(_LARGEST)


def _write(file: Path, folder: int | None, data: bytes) -> None:
    """Write a note, whole or not at all, readable by this user alone."""
    place = file.parent if folder is None else Path()
    beside = place / f".{uuid.uuid4().hex}"
    number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _OPENED, 0o600, dir_fd=folder)
    try:
        with os.fdopen(number, "wb") as opened:
            if _OWNED:
                os.fchmod(number, 0o600)
            opened.write(data)
        os.replace(beside, place / file.name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside, dir_fd=folder)
        raise
