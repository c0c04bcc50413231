"""A file as it was when it was opened: a later read gives those very bytes, or says that the file changed.

A file is known by device, inode, size and the times of its last change, taken from an open handle before and after
every read. The time of the inode's change (ctime) cannot be set by a program, so a file that was written over with its
size and time of modification put back is noticed too.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import ModelFileError

_TICK = 10_000_000
_COARSE_TICK = 2_000_000_000
"""Nanoseconds in which two changes may get one time: a slow kernel's clock, a file system that keeps whole seconds."""

State = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """``path``: what is read, absolute. ``shown``: the name in messages. ``state``: device, inode, size, times."""

    path: Path
    shown: str
    state: State

    @property
    def size(self) -> int:
        """Bytes that the file had when it was opened."""
        return self.state[2]

    @contextmanager
    def reading(self) -> Iterator[io.FileIO]:
        """An open handle of the file; at the end it is looked at once more. Errors: ModelFileError where it changed."""
        try:
            file = _handle(self.path)
        except OSError:
            raise self._changed() from None
        with file:
            self._check(file)
            try:
                yield file
            finally:  # also where reading failed: then a change is why
                self._check(file)

    def read_into(self, target: NDArray[np.uint8], offset: int) -> None:
        """Fill ``target`` with the bytes from ``offset`` on. Errors: ModelFileError where the file changed."""
        with self.reading() as file:
            fill(file, target.data, offset, self.shown)

    def sha256(self) -> str:
        """Hash the file's bytes, in hexadecimal. Errors: ModelFileError where the file changed."""
        with self.reading() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _check(self, file: io.FileIO) -> None:
        if _state(os.fstat(file.fileno())) != self.state:
            raise self._changed()

    def _changed(self) -> ModelFileError:
        return ModelFileError(f"{self.shown} changed since it was opened; open the model again")


def opened(path: Path, shown: str) -> OpenedFile:
    """Take note of the file at ``path`` as it is now. Errors: OSError, ValueError where it is no regular file."""
    with _handle(path) as file:
        found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is no regular file")
    # A change within the clock's tick would get the same time as the last one: what is read is read after it.
    changed = max(found.st_mtime_ns, found.st_ctime_ns)
    tick = _TICK if found.st_ctime_ns % 1_000_000_000 else _COARSE_TICK
    age = time.time_ns() - changed
    if 0 <= age < tick:
        time.sleep((tick - age) / 1e9)
    return OpenedFile(path.absolute(), shown, _state(found))


def fill(file: io.FileIO, target: Any, offset: int, shown: str) -> None:
    """Fill the buffer ``target`` from ``offset`` on. Errors: ValueError where the file ends before that."""
    view = memoryview(target).cast("B")
    file.seek(offset)
    done = 0
    while done < len(view):
        count = file.readinto(view[done:])
        if not count:
            raise ValueError(f"{shown} ends before byte {offset + len(view)}")
        done += count


def _handle(path: Path) -> io.FileIO:
    """Open to read; a pipe does not block."""
    return open(path, "rb", buffering=0, opener=_opener)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _state(found: os.stat_result) -> State:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
