"""What every command runs in: errors as one line, and a progress bar."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from onnxray.cli.parts.memory_limit import memory_ran_out
from onnxray.cli.parts.stopping import stoppable
from onnxray.cli.terminal.notes import is_quiet, note
from onnxray.cli.terminal.progress_lines import LONGEST_TASK, ProgressLines
from onnxray.cli.usage.refusals import refuse
from onnxray.errors import OnnxrayError
from onnxray.errors.shown_text import one_line, terminal

if TYPE_CHECKING:
    from onnxray.methods.run import Progress as Tick

F = TypeVar("F", bound=Callable[..., None])


def guarded(command: F) -> F:
    """An error of ours is one line on standard error and status 1; an interruption is status 130.

    So is memory that ran out, and a warning of a library is one line too. With ``json=True`` among the arguments an
    error is one object on standard output as well.
    """

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        json = bool(options.get("json"))
        try:
            with stoppable(), warnings.catch_warnings():
                warnings.showwarning = _show_warning
                command(*args, **options)
        except typer.Exit:
            raise
        except KeyboardInterrupt:
            refuse("Interrupted", "interrupted", 130, json=json)
            raise typer.Exit(130) from None
        except Exception as error:
            told = memory_ran_out(error) or error
            if not isinstance(told, OnnxrayError):
                raise
            refuse(type(told).__name__, str(told), 1, json=json)
            raise typer.Exit(1) from None

    return run  # type: ignore[return-value]


def _show_warning(message: Warning | str, category: type[Warning], *_place: Any, **_more: Any) -> None:
    print(one_line(f"onnxray: {category.__name__}: {message}"), file=sys.stderr)


_TOLD: ContextVar[Tick | None] = ContextVar("told", default=None)


@contextmanager
def progress_told(tick: Tick) -> Iterator[None]:
    """Within it ``tick`` is told how far commands have come, in place of the terminal."""
    before = _TOLD.set(tick)
    try:
        yield
    finally:
        _TOLD.reset(before)


@contextmanager
def progress_bar() -> Iterator[Tick]:
    """A bar on standard error; where that is no terminal, a line a minute. Who asked to be told is told instead."""
    told = _TOLD.get()
    if told is not None:
        yield told
        return
    if is_quiet() or not sys.stderr.isatty():
        yield ProgressLines(note)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from onnxray.cli.parts.console import progress_console

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress_console(), transient=True) as bar:
        task = bar.add_task("", total=None)

        def tick(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=terminal(what, LONGEST_TASK))

        yield tick
