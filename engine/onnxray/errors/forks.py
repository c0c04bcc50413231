"""A forked process: it inherits ONNX Runtime's sessions and torch's pool without the threads that work for them.

ONNX Runtime's sessions are opened again in the child (engines/sessions.py). The twin of the parent is refused there,
with what to do instead. Torch that somebody else loaded before the fork may wait for such threads for ever; with one
thread of its own, as in a DataLoader's workers, it does not.
"""

from __future__ import annotations

import os
import sys
from threading import RLock
from types import TracebackType
from typing import Final

from onnxray.errors import DeviceError

LOADED_BY: Final = os.getpid()
"""The process that loaded the engine."""


def torch_came_along() -> bool:
    """Whether this process, which has no twin yet, was forked from one that may have used torch's threads."""
    return os.getpid() != LOADED_BY and "torch" in sys.modules and "onnxray.engines.twin" not in sys.modules


class ProcessLock:
    """A lock that a forked process finds open: whoever held it stayed in the parent. A thread may take it twice."""

    def __init__(self) -> None:
        self._process, self._lock = os.getpid(), RLock()

    def __enter__(self) -> None:
        if self._process != os.getpid():
            self._process, self._lock = os.getpid(), RLock()
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()


def check_process(started_by: int, what: str) -> None:
    """Refuse what another process started. Errors: DeviceError."""
    if os.getpid() != started_by:
        raise DeviceError(
            f"{what} was started by process {started_by}, and this is process {os.getpid()}, forked from it "
            "without its threads; start processes by multiprocessing's 'spawn' method, or before the first gradient"
        )
