"""``--timeout`` and ``--memory``: a command's work in a process of its own, which is killed when it has had enough.

A model may ask for work or memory without end anywhere: in a run of ONNX Runtime, while it starts (it folds a constant
Loop then, and cannot be told to stop), in torch, in onnx's own inference. A process of its own stops all of them alike.
It also bounds itself, so that it does not outlive a parent that was killed.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import importlib
import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnxray.assess.jobs.children import end_with_the_parent, environment_of_children
from onnxray.cli.parts.command_frame import guarded
from onnxray.cli.parts.document import called
from onnxray.cli.parts.memory_limit import check_limits_memory, limit_memory, read_size
from onnxray.cli.terminal.notes import note, told_as
from onnxray.cli.terminal.standard_streams import standard_streams
from onnxray.cli.usage.defaults import stated_elsewhere
from onnxray.cli.usage.options import path_of
from onnxray.errors import MemoryLimitReached, OnnxrayError, RuntimeRefusal, TimeLimitReached

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def timeout_option(what: str) -> Any:
    """--timeout. what: its help, of what it bounds."""
    return typer.Option(
        "--timeout", metavar="SECONDS", min=0.1, rich_help_panel="Limits", envvar="ONNXRAY_TIMEOUT", help=what
    )


def memory_option(of: str, end: str) -> Any:
    """--memory. of: what it bounds; end: what becomes of what needs more."""
    return typer.Option(
        "--memory", metavar="SIZE", parser=read_size, rich_help_panel="Limits", envvar="ONNXRAY_MEMORY",
        help=f"The most memory {of} (4GB, 500MB, 2GiB; address space, of which libraries alone take 1 to 3 GB), {end}; "
        "by default nothing is bounded.",
    )  # fmt: skip


_TIMEOUT = timeout_option("Stop after so long, whatever the model does, with status 1; by default nothing is stopped.")
_MEMORY = memory_option("to work in", "with status 1 where it is not enough")
_QUIET = typer.Option(
    "-q", "--quiet", help="Say nothing but errors on standard error.", rich_help_panel="Output", envvar="ONNXRAY_QUIET"
)
_VERBOSE = typer.Option(
    "-v", "--verbose", help="Say what is opened, started and checked, and how long it took.", rich_help_panel="Output",
    envvar="ONNXRAY_VERBOSE",
)  # fmt: skip
_ADDED: dict[str, tuple[Any, Any]] = {
    "timeout": (Annotated[float | None, _TIMEOUT], None),
    "memory": (Annotated[int | None, _MEMORY], None),
    "quiet": (Annotated[bool, _QUIET], False),
    "verbose": (Annotated[bool, _VERBOSE], False),
}
_GRACE = 5.0
"""Seconds that a child has to hear an interruption, and after which one whose parent is gone ends by itself."""
_HEARD = b"heard"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a command's work may take: seconds, and bytes of address space; None bounds nothing."""

    timeout: float | None = None
    memory: int | None = None


def limited(command: Callable[..., None]) -> Callable[..., None]:
    """Make a function a command: with --timeout, --memory and --quiet, and errors as one line (:func:`guarded`).

    A command that has a limit of its own by one of these names keeps it, and is not bounded by it as a whole.
    context: of what was typed; there is none in a child, which is given ``path``, how the command is called, and
    ``stated``: where options were stated elsewhere -> how they would have been typed.
    Errors: TimeLimitReached; MemoryLimitReached; RuntimeRefusal where a native library crashed in the child.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in signature.parameters.values()]
    parameters.append(inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context))
    added = {name: one for name, one in _ADDED.items() if name not in signature.parameters}
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in added.items()
    ]
    alone = guarded(command)

    @functools.wraps(command)
    def run(
        context: typer.Context | None = None, quiet: bool = False, verbose: bool = False,
        stated: Mapping[str, list[str]] = MappingProxyType({}), path: tuple[str, ...] = (), **values: Any,
    ) -> None:  # fmt: skip
        timeout, memory = (values.pop(name, None) if name in added else None for name in ("timeout", "memory"))
        if context is not None:
            stated, path = stated_elsewhere(context), tuple(path_of(context))
        with told_as(quiet=quiet, verbose=verbose), called(path, values, stated):
            if context is None or (timeout is None and memory is None):
                for where, options in stated.items():
                    note(f"{' '.join(options)}: from {where}")
                alone(**values)
            else:
                limits = Limits(timeout=timeout, memory=memory)
                in_child(path, limits, quiet=quiet, verbose=verbose, stated=dict(stated), **values)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def registered(path: tuple[str, ...]) -> Callable[..., None]:
    """The command that is called so."""
    found: Callable[..., None] = importlib.import_module("onnxray.cli.app").function_at(path)
    return found


@guarded
def in_child(path: tuple[str, ...], limits: Limits, /, **values: Any) -> None:
    """Do the work of the command ``path`` in a child, and end as it ended. values: of its options and arguments."""
    if limits.memory is not None:
        check_limits_memory()
    import multiprocessing

    start = multiprocessing.get_context("spawn")
    answers, writer = start.Pipe(duplex=False)
    child = start.Process(target=_work, args=(writer, path, values, limits), daemon=True)
    with environment_of_children():
        child.start()
    writer.close()
    interrupted = False
    try:
        try:
            child.join(limits.timeout)
        except KeyboardInterrupt:  # the command in the child keeps what is finished, and says so
            interrupted = True
            _interrupt(child.pid)
            if not answers.poll(_GRACE):
                raise
            child.join()  # interrupted once more, it is killed
        if child.exitcode is None:
            raise TimeLimitReached(
                f"the work was not done within {limits.timeout:g} s and was stopped; give it longer with --timeout, "
                "or check whether the model loops without end"
            )
    finally:
        child.kill()
        child.join()
    status = _status(answers)
    if status is None and interrupted:
        raise KeyboardInterrupt
    if status is None:
        raise _crashed(child.exitcode or 0, limits)
    if status:
        raise typer.Exit(status)


def _interrupt(pid: int | None) -> None:
    """Pass an interruption on; on Windows the console gives it to every process that it has."""
    if sys.platform != "win32" and pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)


def _status(answers: Connection) -> int | None:
    """The exit status that a child told, which is the last that it says; None where it was ended before."""
    said = b""
    with contextlib.suppress(EOFError, OSError):
        while True:
            said = answers.recv_bytes()
    return int(said) if said.isdigit() else None


def _crashed(code: int, limits: Limits) -> OnnxrayError:
    how = f"signal {-code}" if code < 0 else f"status {code}"
    ended = f"a native library ended the process with {how} on this model; it"
    if limits.memory is None:
        return RuntimeRefusal(f"{ended} is damaged, or needs more memory than there is")
    return MemoryLimitReached(
        f"{ended} needs more than the {limits.memory / 1e9:.3g} GB of address space that --memory gives, or is damaged"
    )


def _work(told: Connection, path: tuple[str, ...], values: dict[str, Any], limits: Limits) -> None:
    """In the child: the command itself. Its exit status is told at the end, when all is written."""
    _hear_the_parent(told)
    if limits.memory is not None:
        limit_memory(limits.memory)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        if limits.timeout is not None:  # a thread of C, which needs no GIL
            faulthandler.dump_traceback_later(limits.timeout + _GRACE, exit=True, file=nowhere)
        try:
            with standard_streams(native_errors=False):
                status = _status_of(path, values)
        except SystemExit:
            status = 1
        finally:
            faulthandler.cancel_dump_traceback_later()
    told.send_bytes(b"%d" % status)


def _status_of(path: tuple[str, ...], values: dict[str, Any]) -> int:
    def work(**values: Any) -> None:
        registered(path)(path=path, **values)

    try:
        guarded(work)(**values)  # the memory may not do for the imports
    except typer.Exit as done:
        return done.exit_code
    except Exception:  # a fault of ours; told here, while there is a standard error
        traceback.print_exc()
        return 1
    return 0


def _hear_the_parent(told: Connection) -> None:
    """An interruption comes from the terminal, from the parent, or from both: it is heard once, and answered."""

    def interrupted(_number: int, _frame: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        told.send_bytes(_HEARD)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    end_with_the_parent()
