"""Who does units of work: one protocol, so that a result does not depend on it.

``run`` takes tasks as it can do them and gives each back with its bytes, or with why there are none, in the order in
which they are done. A task and the function that does it can be pickled.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar, final

from onnxray.errors import OnnxrayError
from onnxray.errors.shown_text import one_line

T = TypeVar("T")
_log = logging.getLogger("onnxray")


@final
@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a task has no result. refused: an error was raised; timeout: it was not done in time; died: its process."""

    kind: Literal["refused", "timeout", "died"]
    message: str


class Executor(Protocol):
    """Does tasks."""

    def run(
        self, tasks: Iterable[T], work: Callable[[T], bytes], group: Callable[[T], str], more: Callable[[], bool]
    ) -> Iterator[tuple[T, bytes | Failure]]:
        """Do the tasks. group: tasks of one group had better be done by one worker (they are of one model).

        more: whether one more may be begun; asked before each. What was begun is ended, the rest is not given back.
        """

    def described(self) -> str:
        """What it is, in words."""

    def close(self) -> None:
        """End its workers."""


def attempt(task: T, work: Callable[[T], bytes]) -> bytes | Failure:
    """Do one task; whatever it raises is its failure."""
    try:
        return work(task)
    except OnnxrayError as error:
        return Failure(kind="refused", message=str(error))
    except Exception as error:  # of a library on a stranger's model, or our own fault: that of one unit, not of all
        _log.info("a unit failed", exc_info=True)
        return Failure(kind="refused", message=one_line(f"{type(error).__name__}: {error}"))


@final
@dataclass(frozen=True)
class Inline:
    """In this process, one task after the other. A task that hangs or crashes takes the process with it."""

    def run(
        self, tasks: Iterable[T], work: Callable[[T], bytes], group: Callable[[T], str],  # noqa: ARG002
        more: Callable[[], bool],
    ) -> Iterator[tuple[T, bytes | Failure]]:  # fmt: skip
        """Do the tasks in their order."""
        for task in tasks:
            if not more():
                return
            yield task, attempt(task, work)

    def described(self) -> str:
        """What it is, in words."""
        return "inline"

    def close(self) -> None:
        """It has no workers."""
