"""The folder of a run, held by one writer at a time; files come into it whole, and a killed run's rests are cleared.

While it is held, a folder ``.onnxray-partial`` lies in it: the lock, which the system releases when its holder dies,
and what is being written, which is moved out when it is complete. Whoever gets the lock knows that all else in there is
the rest of a run that was killed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, final

from onnxray.errors import OutputError

STAGING = ".onnxray-partial"
_LOCK = "lock"
_TRIES = 100


@contextmanager
def told(target: Path) -> Iterator[None]:
    """What the system refuses is one line. Errors: OutputError."""
    try:
        yield
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise OutputError(f"the results cannot be written to {target}: {said}") from None


@final
class RunFolder:
    """A hold on a folder, until ``close``. ``claim`` makes one.

    made: the folders that were not there before, the innermost first; they go again where nothing is kept in them.
    """

    def __init__(self, path: Path, lock: int, made: list[Path]) -> None:
        self.path, self.staging, self.made = path, path / STAGING, made
        self._lock = lock

    @classmethod
    def claim(cls, path: str | os.PathLike[str]) -> Self:
        """Make the folder where it is not there, and lock it. Errors: OutputError, also where another run holds it."""
        target = Path(path)
        with told(target):
            if target.exists() and not target.is_dir():
                raise OutputError(f"{target} is a file; give a folder for the results")
            made = _missing(target)
            try:
                target.mkdir(parents=True, exist_ok=True)
                return cls._locked(target, made)
            except BaseException:
                _remove_empty(made)
                raise

    @classmethod
    def fresh(cls, stem: Path) -> Self:
        """A folder that nobody had before: ``stem``, or the first of stem-2, stem-3, ... Errors: OutputError."""
        with told(stem):
            above = _missing(stem.parent)
            path = new_folder(stem)
            return cls._locked(path, [path, *above])

    @classmethod
    def _locked(cls, target: Path, made: list[Path]) -> Self:
        staging = target / STAGING
        for _ in range(_TRIES):
            staging.mkdir(exist_ok=True)
            try:
                lock = os.open(staging / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
            except FileNotFoundError:  # its holder ended just now, and took the folder with it
                continue
            if not _lock(lock):
                os.close(lock)
                raise OutputError(f"another run is writing to {target}; give another folder, or wait for its end")
            if _is_still(staging / _LOCK, lock):
                held = cls(target, lock, made)
                held._clear()
                return held
            os.close(lock)
        raise OutputError(f"{target} could not be locked; give another folder")

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole: beside, then renamed. Errors: OSError."""
        staged = self.staging / name
        staged.write_bytes(data)
        staged.replace(self.path / name)

    def close(self, *, kept: bool = True) -> None:
        """Let go of the folder; where nothing is ``kept``, those that were made for it go."""
        with contextlib.suppress(OSError):
            self._clear()
            if sys.platform == "win32":
                os.close(self._lock)
                (self.staging / _LOCK).unlink()
            else:  # the name goes first: who opened it before finds it gone, and tries again
                (self.staging / _LOCK).unlink()
                os.close(self._lock)
            self.staging.rmdir()
        if not kept:
            _remove_empty(self.made)

    def _clear(self) -> None:
        for entry in self.staging.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != _LOCK:
                entry.unlink()


def new_folder(stem: Path) -> Path:
    """Make ``stem``, or the first of stem-2, stem-3, ... that is not there; each caller gets one of its own."""
    for number in itertools.count(1):
        path = stem if number == 1 else stem.with_name(f"{stem.name}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir(parents=True)
            return path
    raise AssertionError


def _missing(target: Path) -> list[Path]:
    return [place for place in (target, *target.parents) if not place.exists()]


def _remove_empty(folders: list[Path]) -> None:
    for place in folders:
        with contextlib.suppress(OSError):
            place.rmdir()


def _lock(file: int) -> bool:
    """Whether the lock could be had. It goes with its holder, however that ends."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without such locks; some have the other kind
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
    return True


def _is_still(path: Path, file: int) -> bool:
    """Whether the file that was locked is the one of that name: its last holder may have taken it away."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
