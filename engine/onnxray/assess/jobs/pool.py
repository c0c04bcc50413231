"""Workers that do a task at a time, whatever they are: processes here, actors elsewhere.

A worker is told the next task when it is done with one, of the group that it had last where there is one. One that dies
is replaced, and its task tried once more and then reported. A task that takes longer than ``timeout`` ends with its
worker: nothing smaller stops native code.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Generic, TypeVar, final

from onnxray.assess.jobs.executors import Failure
from onnxray.errors import InputError
from onnxray.errors.short_values import short

T = TypeVar("T")
_AHEAD: Final = 64
"""Tasks that are looked through for one of a worker's own group."""
_TRIES: Final = 2
_MOST: Final = 1024


class Worker(ABC):
    """Does a task at a time. task: what it has in hand, of which group, since when."""

    def __init__(self) -> None:
        self.task: Any = None
        self.group: str | None = None
        self.since = 0.0

    @final
    def give(self, task: Any, work: Callable[[Any], bytes], group: str) -> None:
        """Hand it a task."""
        self.task, self.group, self.since = task, group, time.monotonic()
        self.begin(task, work)

    @abstractmethod
    def begin(self, task: Any, work: Callable[[Any], bytes]) -> None:
        """Let it do a task; where it is dead, ``answer`` says so."""

    @abstractmethod
    def answer(self) -> bytes | Failure | None:
        """What it says of its task, which is done; None where it died instead."""

    @abstractmethod
    def end(self, *, at_once: bool = False) -> str:
        """End it. Gives how it ended by itself, in words. at_once: it is not dead already."""


class Pool(ABC):
    """So many workers. They are started when there is work for them and stay until ``close``. timeout: of a task."""

    def __init__(self, count: int, timeout: float | None) -> None:
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST:
            raise InputError(f"the number of workers is {short(count)}; one from 1 to {_MOST} was expected")
        self.count, self.timeout = count, timeout
        self._workers: list[Worker] = []

    @abstractmethod
    def described(self) -> str:
        """What it is, in words."""

    @abstractmethod
    def started(self) -> Worker:
        """A new worker."""

    @abstractmethod
    def ready(self, busy: Sequence[Worker], seconds: float | None) -> list[Worker]:
        """Those of the busy ones that are done or dead; waits for one, at most so long."""

    @final
    def close(self) -> None:
        """End them, whatever they are at."""
        for worker in self._workers:
            worker.end(at_once=True)
        self._workers.clear()

    @final
    def run(
        self, tasks: Iterable[T], work: Callable[[T], bytes], group: Callable[[T], str], more: Callable[[], bool]
    ) -> Iterator[tuple[T, bytes | Failure]]:
        """Do the tasks, as many at a time as there are workers. Whoever stops listening ends the workers."""
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
                for worker in self.ready(busy, self._patience(busy)):
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
            self._workers.append(self.started())
            self._give(self._workers[-1], left, work, group)

    def _give(self, worker: Worker, left: _Ahead[T], work: Callable[[T], bytes], group: Callable[[T], str]) -> None:
        for task in left.next_of(worker.group):
            worker.give(task, work, group(task))

    def _patience(self, busy: Sequence[Worker]) -> float | None:
        if self.timeout is None:
            return None
        return max(0.0, min(one.since for one in busy) + self.timeout - time.monotonic())

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
