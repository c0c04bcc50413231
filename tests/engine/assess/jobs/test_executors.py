"""Inline and processes do the same; what dies, hangs or is refused is told, and the rest goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onnxray.assess.jobs.executors import Executor, Failure, Inline
from onnxray.assess.jobs.processes import Processes
from onnxray.errors import InputError
from support.job_tasks import Task, group, unknown, work


def done(executor: Executor, tasks: list[Task], more: Callable[[], bool] = lambda: True) -> dict[Task, bytes | Failure]:
    try:
        return dict(executor.run(tasks, work, group, more))
    finally:
        executor.close()


def test_processes_give_what_inline_gives() -> None:
    tasks = [("say", str(number)) for number in range(20)] + [("refused", "bread"), ("fault", "a / 0")]
    found = done(Inline(), tasks)
    assert done(Processes(2), tasks) == found
    assert found["refused", "bread"] == Failure(kind="refused", message="no bread")
    assert found["fault", "a / 0"] == Failure(kind="refused", message="ZeroDivisionError: a / 0")


def test_a_dead_worker_is_replaced_and_its_task_tried_once_more(tmp_path: Path) -> None:
    tasks = [("say", "a"), ("dies", str(tmp_path / "1")), ("dies once", str(tmp_path / "2")), ("say", "b")]
    found = done(Processes(2), tasks)
    told = found[tasks[1]]
    assert isinstance(told, Failure)
    assert (told.kind, "died 2 times (signal 9)" in told.message) == ("died", True)
    assert [isinstance(found[task], bytes) for task in tasks] == [True, False, True, True]


def test_a_task_that_hangs_is_stopped_and_the_rest_goes_on() -> None:
    tasks = [("hang", ""), *(("say", str(number)) for number in range(5))]
    found = done(Processes(1, timeout=3), tasks)
    assert found["hang", ""] == Failure(kind="timeout", message="it was not done within 3 s and was stopped")
    assert all(isinstance(found[task], bytes) for task in tasks[1:])


@pytest.mark.parametrize("executor", [Inline(), Processes(1)], ids=["inline", "processes"])
def test_no_task_is_begun_once_there_is_to_be_no_more(executor: Executor) -> None:
    left = [True, True, False]
    found = done(executor, [("say", str(number)) for number in range(9)], lambda: left.pop(0) if left else False)
    assert 1 <= len(found) <= 2


def test_workers_stay_and_tasks_of_a_group_stay_together() -> None:
    executor = Processes(1)
    try:
        first, second = (dict(executor.run([("pid", "")], work, group, lambda: True)) for _ in range(2))
        assert first == second
        order = [
            task
            for task, _ in executor.run([("a", "1"), ("b", "1"), ("a", "2"), ("b", "2")], work, group, lambda: True)
        ]
        assert [task[0] for task in order] == ["a", "a", "b", "b"]
    finally:
        executor.close()


def test_who_stops_listening_ends_the_workers() -> None:
    executor = Processes(1)
    running: Iterator[tuple[Task, bytes | Failure]] = iter(
        executor.run([("pid", ""), ("hang", "")], work, group, lambda: True)
    )
    _, told = next(running)
    assert isinstance(told, bytes)
    running.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.split()[-1]), 0)


def test_a_task_that_does_not_come_through_is_told() -> None:
    executor = Processes(1)
    try:
        (told,) = [answer for _, answer in executor.run([unknown()], work, lambda _: "", lambda: True)]
    finally:
        executor.close()
    assert isinstance(told, Failure)
    assert "the task cannot be read" in told.message


@pytest.mark.parametrize("count", [0, -1, 2000, True, 1.5, "2"])
def test_a_number_of_workers_that_is_none_is_refused(count: int) -> None:
    with pytest.raises(InputError, match="from 1 to 1024"):
        Processes(count)
