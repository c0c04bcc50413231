"""What a child process bounds and observes of itself: memory, its peak, and openings of one file by anybody."""

import contextlib
import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Say = Callable[[dict[str, Any]], None]

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


def answer_lines(prepare: Callable[[Path], Callable[[Path, Say], dict[str, Any]]]) -> None:
    """The child's side: within its bounds, each path that comes as a line is run, and answered with how it ended.

    ``prepare`` is handed the canary and gives what runs a path; stages are said as they begin.
    """
    memory, canary, answers = int(sys.argv[1]), Path(sys.argv[2]), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    torch.set_num_threads(1)
    bound(memory)
    run = prepare(canary)

    def say(told: dict[str, Any]) -> None:
        answers.write(json.dumps(told) + "\n")

    say({"ready": True})
    for line in sys.stdin:
        start = time.perf_counter()
        reset_peak()
        outcome = run(Path(line.strip()), say)
        say({"done": True, "seconds": time.perf_counter() - start, "peak": peak(), **outcome})
