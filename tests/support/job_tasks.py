"""Tasks for executors, in a module that their processes can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from onnxray.errors import InputError

Task = tuple[str, str]


def work(task: Task) -> bytes:
    """What a task of text says is to be done."""
    kind, text = task
    if kind == "refused":
        raise InputError(f"no {text}")
    if kind == "fault":
        raise ZeroDivisionError(text)
    if kind == "hang":
        time.sleep(1000)
    if kind == "dies" or (kind == "dies once" and not Path(text).exists()):
        Path(text).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{kind} {text} {os.getpid() if kind == 'pid' else ''}".encode()


def group(task: Task) -> str:
    return task[0]


class Unknown:
    """What pickles, and then is of no module."""

    def __reduce__(self) -> tuple[object, ...]:
        return _missing, ()


def _missing() -> None:
    raise ModuleNotFoundError("no such module here")


def unknown() -> Task:
    return Unknown()  # type: ignore[return-value]
