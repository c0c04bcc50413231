"""Units done by spawned processes: one that dies is replaced, and its unit tried once more and then reported.

A worker does one task at a time and is told the next when it is done, of the group that it had last where there is
one. A task that takes longer than ``timeout`` ends with its worker: nothing smaller stops native code.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import connection, get_context
from typing import Any, Final, Generic, TypeVar, final

from onnxray.assess.jobs.children import end_with_the_parent, no_code_from_here
from onnxray.assess.jobs.executors import Failure, attempt
from onnxray.errors import InputError
from onnxray.errors.short_values import short

T = TypeVar("T")
_AHEAD: Final = 64
"""Tasks that are looked through for one of a worker's own group."""
_TRIES: Final = 2
_MOST: Final = 1024
_GONE: Final = 5.0
"""Seconds within which a process that closed its pipe is gone."""


@final
class Worker:
    """A process and what it has in hand."""

    def __init__(self, start: Callable[[], None] | None) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, start), daemon=True)
        with no_code_from_here():
            self.process.start()
        theirs.close()
        self.task: Any = None
        self.group: str | None = None
        self.since = 0.0

    def give(self, task: Any, work: Callable[[Any], bytes], group: str) -> None:
        """Hand it a task."""
        self.task, self.group, self.since = task, group, time.monotonic()
        with contextlib.suppress(OSError):  # it died since: that is seen at once
            self.pipe.send((task, work))

    def answer(self) -> bytes | Failure | None:
        """What it says of its task; None where it died instead."""
        try:
            found: bytes | Failure = self.pipe.recv()
        except (EOFError, OSError):
            return None
        return found

    def end(self, *, at_once: bool = False) -> str:
        """End it. Gives how it ended by itself, in words. at_once: it is not dead already."""
        if not at_once:
            self.process.join(_GONE)
        code = self.process.exitcode
        self.process.kill()
        self.process.join()
        self.process.close()
        self.pipe.close()
        return "it was stopped" if code is None else f"signal {-code}" if code < 0 else f"status {code}"


@final
class Processes:
    """So many processes. timeout: seconds a task may take; start: done in each before anything else.

    They are started when there is work for them and stay until ``close``, so that what they imported serves again.
    """

    def __init__(
        self, count: int = 1, *, timeout: float | None = None, start: Callable[[], None] | None = None
    ) -> None:
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST:
            raise InputError(f"the number of processes is {short(count)}; one from 1 to {_MOST} was expected")
        self.count, self.timeout, self._start = count, timeout, start
        self._workers: list[Worker] = []

    def described(self) -> str:
        """What it is, in words."""
        return f"{self.count} process{'es' if self.count > 1 else ''}"

    def close(self) -> None:
        """End them, whatever they are at."""
        for worker in self._workers:
            worker.end(at_once=True)
        self._workers.clear()

    def run(
        self, tasks: Iterable[T], work: Callable[[T], bytes], group: Callable[[T], str], more: Callable[[], bool]
    ) -> Iterator[tuple[T, bytes | Failure]]:
        """Do the tasks, as many at a time as there are processes. Whoever stops listening ends the processes."""
        left = _Ahead(iter(tasks), group, more)
        tries: dict[int, int] = {}
        whole = False
        try:
            while True:
                self._hand_out(left, work, group)
                busy = [worker for worker in self._workers if worker.task is not None]
                if not busy:
                    whole = True
                    return
                for worker in self._ready(busy):
                    task, answer = worker.task, worker.answer()
                    worker.task = None
                    if answer is None:
                        self._workers.remove(worker)
                        answer = self._of_the_dead(worker, task, tries, left)
                    if answer is not None:
                        tries.pop(id(task), None)
                        yield task, answer
                for worker in [one for one in busy if one.task is not None and self._late(one)]:
                    self._workers.remove(worker)
                    worker.end(at_once=True)
                    said = f"it was not done within {self.timeout:g} s and was stopped"
                    yield worker.task, Failure(kind="timeout", message=said)
        finally:
            if not whole:
                self.close()

    def _hand_out(self, left: _Ahead[T], work: Callable[[T], bytes], group: Callable[[T], str]) -> None:
        for worker in [one for one in self._workers if one.task is None]:
            self._give(worker, left, work, group)
        while len(self._workers) < self.count and left.any():
            self._workers.append(Worker(self._start))
            self._give(self._workers[-1], left, work, group)

    def _give(self, worker: Worker, left: _Ahead[T], work: Callable[[T], bytes], group: Callable[[T], str]) -> None:
        for task in left.next_of(worker.group):
            worker.give(task, work, group(task))

    def _ready(self, busy: list[Worker]) -> list[Worker]:
        waits = None
        if self.timeout is not None:
            waits = max(0.0, min(one.since for one in busy) + self.timeout - time.monotonic())
        found = connection.wait([one.pipe for one in busy], waits)
        return [worker for worker in busy if worker.pipe in found]

    def _late(self, worker: Worker) -> bool:
        return self.timeout is not None and time.monotonic() - worker.since >= self.timeout

    def _of_the_dead(self, worker: Worker, task: T, tries: dict[int, int], left: _Ahead[T]) -> Failure | None:
        """None where the task is tried again."""
        how = worker.end()
        tries[id(task)] = tries.get(id(task), 0) + 1
        if tries[id(task)] < _TRIES:
            left.again(task)
            return None
        return Failure(
            kind="died",
            message=f"its process died {_TRIES} times ({how}): a native library crashed on it, or it needs more memory "
            "than there is",
        )


@final
class _Ahead(Generic[T]):
    """Tasks to come, of which a few are seen ahead."""

    def __init__(self, tasks: Iterator[T], group: Callable[[T], str], more: Callable[[], bool]) -> None:
        self._tasks, self._group, self._more = tasks, group, more
        self._seen: deque[T] = deque()

    def any(self) -> bool:
        """Whether there is one, and it may be begun."""
        self._look(1)
        return bool(self._seen) and self._more()

    def again(self, task: T) -> None:
        """It is the next one."""
        self._seen.appendleft(task)

    def next_of(self, group: str | None) -> list[T]:
        """The next task, of this group where one of the next is; none where there are none."""
        if not self.any():
            return []
        self._look(1 if group is None else _AHEAD)
        for place, task in enumerate(self._seen):
            if self._group(task) == group:
                del self._seen[place]
                return [task]
        return [self._seen.popleft()]

    def _look(self, count: int) -> None:
        while len(self._seen) < count:
            try:
                self._seen.append(next(self._tasks))
            except StopIteration:
                return


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
        pipe.send(attempt(task, work))
