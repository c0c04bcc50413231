"""The standard streams of a program that does not stumble over who reads it.

A stream that was closed before we began is opened on nothing: else the next file that is opened would take its place,
and prints would go into it. What cannot be written (the reader of a pipe is gone, a disk is full) is dropped and the
work goes on; that a full disk took it is said at the end.
"""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, final


@final
class Outlet(io.FileIO):
    """The file beneath a standard stream: a write never fails, the first error is kept in ``error``."""

    error: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write, or drop what nobody takes."""
        if self.error is None:
            try:
                while (written := super().write(data)) is None:  # a pipe that does not block, and is full
                    select.select([], [self], [])
            except OSError as error:
                self.error = error
            else:
                return written
        return memoryview(data).nbytes


@contextmanager
def standard_streams(*, native_errors: bool = True) -> Iterator[None]:
    """Standard output and error that never fail; at the end, one line and status 1 where standard output took not all.

    A pipe whose reader is gone is no error: ``| head`` has seen what it wanted. ``native_errors``: whether what is no
    Python may write to standard error, as C++ does when a process ends.
    """
    _open_the_closed()
    if sys.platform == "win32":  # its console is no file
        yield
        return
    kept = sys.stdout, sys.stderr
    out, error = Outlet(1, "w", closefd=False), Outlet(2 if native_errors else os.dup(2), "w", closefd=False)
    if not native_errors:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
    sys.stdout, sys.stderr = _text(out, sys.stdout), _text(error, sys.stderr)
    try:
        yield
    finally:
        sys.stdout.flush()
        lost = None if isinstance(out.error, BrokenPipeError) else out.error
        if lost is not None:
            print(f"onnxray: standard output cannot be written: {lost.strerror}", file=sys.stderr)
        sys.stderr.flush()
        sys.stdout, sys.stderr = kept
        if lost is not None and isinstance(sys.exception(), SystemExit | None):
            sys.exit(1)


def _open_the_closed() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _text(file: Outlet, like: TextIO) -> TextIO:
    """In the encoding of the stream before; what that cannot write becomes an escape."""
    lines = like is sys.stderr or like.isatty()
    return io.TextIOWrapper(io.BufferedWriter(file), like.encoding, "backslashreplace", "\n", line_buffering=lines)
