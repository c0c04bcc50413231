"""ONNX Runtime's sessions of one model: opened once for all threads, and opened again in a forked process."""

from __future__ import annotations

import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from onnxray.errors.forks import ProcessLock, check_process

if TYPE_CHECKING:
    import onnxruntime

_log = logging.getLogger("onnxray")


class Sessions:
    """Open sessions by key, the ``most`` that were used last. Threads may share it; no lock is held while one runs.

    lasts: whether a session's device survives a fork; CUDA does not. Errors: DeviceError.
    """

    def __init__(self, most: int, *, lasts: bool = True) -> None:
        self.most, self.lasts = most, lasts
        self._own = _Opened()
        self._left: tuple[_Opened, ...] = ()

    def get(
        self, key: Hashable, make: Callable[[], onnxruntime.InferenceSession], *, keep: bool = True
    ) -> onnxruntime.InferenceSession:
        """The session that was opened under this key in this process, or that ``make`` opens; it stays open or not."""
        own = self._here()
        with own.lock:
            session = own.sessions.get(key)
            if session is None:
                begun = time.perf_counter()
                session = make()
                of = "the file" if key is None else f"a cut to {key}"
                _log.info("a session of ONNX Runtime on %s: started in %.2f s", of, time.perf_counter() - begun)
                if not keep:
                    return session
                own.sessions[key] = session
                if len(own.sessions) > self.most:
                    own.sessions.popitem(last=False)
            own.sessions.move_to_end(key)
            return session

    def __len__(self) -> int:
        return len(self._own.sessions)

    def _here(self) -> _Opened:
        """What this process opened. A parent's sessions are kept and never closed: to close one joins its threads."""
        own = self._own
        if own.process != os.getpid():
            if own.sessions and not self.lasts:
                check_process(own.process, "the session on CUDA")
            self._left, self._own = (*self._left, own), _Opened()
        return self._own


class _Opened:
    """The sessions of one process."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.lock = ProcessLock()
        self.sessions: OrderedDict[Hashable, onnxruntime.InferenceSession] = OrderedDict()
