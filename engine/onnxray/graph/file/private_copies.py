"""Private copies of weights that ONNX Runtime maps: a mapped file that another program shortens would end the process.

A copy has no name but while a session is made, so that nothing is left behind whatever happens; it takes the room of
the weights that were asked for on the disk of temporary files, and their holes stay holes. Linux alone has such files;
elsewhere, and where there is no room, NoRoom says that weights are to be handed over in memory.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from onnxray.graph.file.external_data import Region
from onnxray.graph.file.opened_file import OpenedFile

_PART = 2**24


class NoRoom(Exception):
    """No private copy can be made here."""


class PrivateCopies:
    """Copies of ``files`` that hold the regions asked for so far, at the offsets that these have in the files.

    Threads may share them.
    """

    def __init__(self, files: Mapping[Path, OpenedFile]) -> None:
        self._files = files
        self._copies: dict[Path, int] = {}
        self._held: set[Region] = set()
        self._lock = threading.Lock()

    @contextmanager
    def named(self, regions: Iterable[Region], root: Path) -> Iterator[Path]:
        """A folder with copies of the files that hold ``regions``, named there as they are relative to ``root``.

        Errors: NoRoom; ModelFileError where a file changed.
        """
        try:
            with self._lock:
                paths = self._hold(set(regions))
            folder = Path(tempfile.mkdtemp(prefix="onnxray-"))
        except OSError as error:
            raise NoRoom(str(error)) from None
        try:
            for path in paths:
                _link(self._copies[path], folder / path.relative_to(root))
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _hold(self, regions: set[Region]) -> set[Path]:
        """Copy what is not held yet. Errors: OSError."""
        missing: dict[Path, list[Region]] = {region.path: [] for region in regions if region.path is not None}
        for region in regions - self._held:
            if region.path is not None:
                missing[region.path].append(region)
        for path, parts in missing.items():
            if path not in self._copies:
                self._copies[path] = self._nameless(self._files[path].size)
            if parts:
                with self._files[path].reading() as source:
                    _copy(source, self._copies[path], sorted(parts, key=lambda region: region.offset))
                self._held.update(parts)
        return set(missing)

    def _nameless(self, size: int) -> int:
        """A file without a name, the user's own, closed with these copies. Errors: OSError."""
        flag = getattr(os, "O_TMPFILE", None)
        if flag is None:
            raise OSError("the system has no files without a name")
        copy = os.open(tempfile.gettempdir(), os.O_RDWR | flag | os.O_CLOEXEC, 0o600)
        weakref.finalize(self, os.close, copy)
        os.truncate(copy, size)
        return copy


def _link(copy: int, name: Path) -> None:
    try:
        name.parent.mkdir(parents=True, exist_ok=True)
        # src_dir_fd is of no meaning for an absolute path, but Python follows the link only where one is given.
        os.link(f"/proc/self/fd/{copy}", name, src_dir_fd=copy, follow_symlinks=True)
    except OSError as error:  # no /proc, or a file system that gives no name afterwards
        raise NoRoom(str(error)) from None


def _copy(source: io.FileIO, target: int, regions: list[Region]) -> None:
    """Errors: OSError, also where it would fill the disk; ValueError where the source is shorter than it was."""
    parts = [part for r in regions for part in _filled(source.fileno(), r.offset, r.offset + r.length)]
    if sum(end - start for start, end in parts) > shutil.disk_usage(tempfile.gettempdir()).free:
        raise OSError(f"the weights do not fit into {tempfile.gettempdir()}")
    for start, end in parts:
        while start < end:
            try:
                done = os.copy_file_range(source.fileno(), target, end - start, start, start)
            except OSError:  # between two kinds of file systems
                done = os.pwrite(target, os.pread(source.fileno(), min(_PART, end - start), start), start)
            if not done:
                raise ValueError(f"it ends before byte {end}")
            start += done


def _filled(file: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts from ``start`` to ``end`` that are no holes."""
    while start < end:
        try:
            first = os.lseek(file, start, os.SEEK_DATA)
            last = min(os.lseek(file, first, os.SEEK_HOLE), end)
        except OSError as error:
            if error.errno != errno.ENXIO:  # where that cannot be told, all of it is copied
                yield start, end
            return
        if first < last:
            yield first, last
        start = max(first, last)
