"""What a process does that text of a file could make it do: files written and read, code compiled, programs started."""

import contextlib
import os
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_NEVER = (
    "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.startfile", "os.chdir", "pty.",
    "socket.", "urllib.", "webbrowser.", "ftplib.", "smtplib.", "http.", "imaplib.", "poplib.", "nntplib.", "telnetlib.",
    "sqlite3.", "pickle.find_class", "code.__new__", "cpython.run_", "winreg.", "msvcrt.",
)  # fmt: skip
_WRITES = (
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "os.utime", "shutil.", "tempfile.",
)  # fmt: skip
_READS = ("os.listdir", "os.scandir", "glob.")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Audit:
    """Notes, while ``on``, what is done outside ``reads`` and ``writes``, and every run of text that holds ``mark``.

    It cannot be taken away again, so a process has one.
    """

    def __init__(self, reads: Sequence[Path], writes: Sequence[Path], mark: str) -> None:
        self._mark, self._on = mark, False
        self._writes = _both(writes)
        self._reads = _both([*reads, Path(os.devnull), *(Path(place) for place in sys.path if place)]) + self._writes
        self._leaks: list[str] = []
        sys.addaudithook(self._hook)

    @contextlib.contextmanager
    def on(self, *folders: Path) -> Iterator[list[str]]:
        """Note what is done, ``folders`` being open to be read; the notes are complete at the end."""
        reads, self._leaks = self._reads, []
        self._reads = (*reads, *_both(folders))
        self._on = True
        try:
            yield self._leaks
        finally:
            self._on, self._reads = False, reads

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self._on:
            self._on = False  # what the judging itself does is nobody's leak
            try:
                if self._leaks_by(event, args):
                    self._leaks.append(f"{event} {str(args[:2])[:200]}")
            finally:
                self._on = True

    def _leaks_by(self, event: str, args: tuple[Any, ...]) -> bool:
        if event == "open" and not _leads_elsewhere(args[0]):
            return False
        if event == "os.mkdir" and Path(os.fsdecode(args[0])).is_dir():
            return False  # nothing is made where something is
        if event == "open":
            writing = isinstance(args[2], int) and bool(args[2] & _WRITING)
            return not self._may(args[0], self._writes if writing else self._reads)
        if event == "compile":
            return isinstance(args[0], str | bytes) and self._mark in _text(args[0])
        if event == "exec":
            return isinstance(args[0], types.CodeType) and self._marked(args[0])
        if event == "import":
            return self._mark in str(args[0]) or not str(args[0]).replace(".", "_").isidentifier()
        if event == "ctypes.dlopen":
            return not (args[0] is None or self._may(args[0], self._reads))
        if event.startswith(_WRITES):
            paths = [path for path in args if isinstance(path, str | bytes | Path)]
            held = event.startswith("os.") and isinstance(args[-1], int) and args[-1] >= 0 and event != "os.truncate"
            if held and not any(map(_leads_elsewhere, paths)):
                return False
            return not all(self._may(path, self._writes) for path in paths)
        if event.startswith(_READS):
            return not self._may(args[0], self._reads)
        return event.startswith(_NEVER)

    def _may(self, name: Any, places: Sequence[str]) -> bool:
        if isinstance(name, int) or name is None:
            return True
        text = os.fsdecode(name)
        if text.isdigit():
            return True
        if text.startswith(("/proc/", "/sys/")) and not text.endswith("/environ"):
            return places is not self._writes or text.startswith("/proc/self/")
        if "\x00" in text:
            return False
        found = os.path.realpath(text)
        return any(found == place or found.startswith(place.rstrip(os.sep) + os.sep) for place in places)

    def _marked(self, code: types.CodeType) -> bool:
        if any(self._mark in name for name in (*code.co_names, *code.co_varnames, code.co_name)):
            return True
        return any(
            self._marked(one) if isinstance(one, types.CodeType) else self._mark in _text(one) for one in code.co_consts
        )


def _leads_elsewhere(name: Any) -> bool:
    """A bare name is opened in a folder that is held open, which was judged then, or in the working folder: what is
    made there is seen afterwards, and there is nothing to be read.
    """
    return isinstance(name, int) or name is None or os.sep in os.fsdecode(name) or os.fsdecode(name) in {".", ".."}


def _both(places: Sequence[Path]) -> tuple[str, ...]:
    """As they are called, and as they are."""
    return tuple(dict.fromkeys(text for place in places for text in (str(place.absolute()), os.path.realpath(place))))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
