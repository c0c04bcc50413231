"""What a child process bounds and observes of itself: memory, its peak, and openings of one file by anybody."""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

_IN_ACCESS, _IN_OPEN, _IN_NONBLOCK = 0x1, 0x20, 0o4000


class Watch:
    """Notices any opening of the canary, also by a native library; on Linux."""

    def __init__(self, canary: Path) -> None:
        self._file = -1
        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            self._file = libc.inotify_init1(_IN_NONBLOCK)
            if libc.inotify_add_watch(self._file, os.fsencode(canary), _IN_ACCESS | _IN_OPEN) < 0:
                raise OSError(ctypes.get_errno(), "the canary cannot be watched")

    def touched(self) -> bool:
        if self._file < 0:
            return False
        try:
            return bool(os.read(self._file, 4096))
        except BlockingIOError:
            return False


def bound(memory: int) -> None:
    """``memory`` bytes of data at most, by the system."""
    with contextlib.suppress(ImportError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Largest resident size since the last reset, in bytes; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
