"""Units done by spawned processes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing import connection, get_context
from typing import Any, Final, final

from onnxray.assess.jobs.children import end_with_the_parent, environment_of_children
from onnxray.assess.jobs.executors import Failure, attempt
from onnxray.assess.jobs.pool import Pool, Worker
from onnxray.errors.shown_text import one_line

_GONE: Final = 5.0
"""Seconds within which a process that closed its pipe is gone."""


@final
class ProcessWorker(Worker):
    """A process."""

    def __init__(self, start: Callable[[], None] | None) -> None:
        super().__init__()
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, start), daemon=True)
        with environment_of_children():
            self.process.start()
        theirs.close()

    def begin(self, task: Any, work: Callable[[Any], bytes]) -> None:
        """Send it."""
        with contextlib.suppress(OSError):
            self.pipe.send((task, work))

    def answer(self) -> bytes | Failure | None:
        """What it sent."""
        try:
            found: bytes | Failure = self.pipe.recv()
        except (EOFError, OSError):
            return None
        return found

    def end(self, *, at_once: bool = False) -> str:
        """Kill it."""
        if not at_once:
            self.process.join(_GONE)
        code = self.process.exitcode
        self.process.kill()
        self.process.join()
        self.process.close()
        self.pipe.close()
        return "it was stopped" if code is None else f"signal {-code}" if code < 0 else f"status {code}"


@final
class Processes(Pool):
    """So many processes. timeout: seconds a task may take; start: done in each before anything else."""

    def __init__(
        self, count: int = 1, *, timeout: float | None = None, start: Callable[[], None] | None = None
    ) -> None:
        super().__init__(count, timeout)
        self._start = start

    def described(self) -> str:
        """What it is, in words."""
        return f"{self.count} process{'es' if self.count > 1 else ''}"

    def started(self) -> Worker:
        """A new one."""
        return ProcessWorker(self._start)

    def ready(self, busy: Sequence[Worker], seconds: float | None) -> list[Worker]:
        """Those whose pipe has something, or was closed."""
        pipes = {worker.pipe: worker for worker in busy if isinstance(worker, ProcessWorker)}
        return [
            pipes[pipe] for pipe in connection.wait(list(pipes), seconds) if isinstance(pipe, connection.Connection)
        ]


def _serve(pipe: connection.Connection, start: Callable[[], None] | None) -> None:
    """In the worker: tasks until there are no more. What native code prints goes to standard error."""
    end_with_the_parent()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    if sys.platform != "win32":
        sys.stdout.flush()
        os.dup2(2, 1)
    if start is not None:
        start()
    while True:
        try:
            task, work = pipe.recv()
        except (EOFError, OSError):
            return
        except Exception as error:  # of a class that is not to be had here
            pipe.send(Failure(kind="refused", message=one_line(f"the task cannot be read: {error}")))
            continue
        pipe.send(attempt(task, work))
