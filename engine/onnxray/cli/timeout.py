"""``--timeout``: a command's work in a process of its own, which is killed when its time is over.

A model may ask for work without end anywhere: in a run of ONNX Runtime, while it starts (it folds a constant Loop then,
and cannot be told to stop), in torch, in onnx's own inference. Killing a process stops all of them alike, on every
platform. The child also bounds itself, so that it does not outlive a parent that was killed.
"""

from __future__ import annotations

import faulthandler
import functools
import importlib
import inspect
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from typing import Annotated, Any

import typer

from onnxray.errors import RuntimeRefusal, TimeLimitReached

_OPTION = typer.Option(
    "--timeout",
    metavar="SECONDS",
    min=0.1,
    help="Stop after so long, whatever the model does, with status 1; by default nothing is stopped.",
    show_default=False,
)
_PARAMETER = inspect.Parameter(
    "timeout", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[float | None, _OPTION]
)
_GRACE = 5.0
"""Seconds after which a child whose parent is gone ends by itself."""


def limited(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option --timeout. A child finds the command by its module and name.

    Errors: TimeLimitReached; RuntimeRefusal where a native library crashed in the child.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in signature.parameters.values()]

    @functools.wraps(command)
    def run(timeout: float | None = None, **given: Any) -> None:
        if timeout is None:
            command(**given)
        else:
            _in_child(command.__module__, command.__name__, given, timeout)

    run.__signature__ = signature.replace(parameters=[*parameters, _PARAMETER])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in (*parameters, _PARAMETER)}
    return run


def _in_child(module: str, name: str, given: dict[str, Any], timeout: float) -> None:
    child = multiprocessing.get_context("spawn").Process(
        target=_work, args=(module, name, given, timeout + _GRACE), daemon=True
    )
    child.start()
    try:
        try:
            child.join(timeout)
        except KeyboardInterrupt:  # the command in the child keeps what is finished, and says so
            for number in (signal.SIGINT, signal.SIGTERM):  # a second one comes through here too, and kills the child
                signal.signal(number, signal.default_int_handler)
            _interrupt(child)
            child.join(_GRACE)
            if child.exitcode is None:
                raise
        if child.exitcode is None:
            raise TimeLimitReached(
                f"the work was not done within {timeout:g} s and was stopped; give it longer with --timeout, "
                "or check whether the model loops without end"
            )
    finally:
        child.kill()
        child.join()
    if child.exitcode < 0:
        raise RuntimeRefusal(
            f"a native library ended the process with signal {-child.exitcode} on this model; it is damaged, or needs "
            "more memory than there is"
        )
    if child.exitcode:
        raise typer.Exit(child.exitcode)


def _interrupt(child: SpawnProcess) -> None:
    """Pass an interruption on; on Windows the console gives it to every process that it has."""
    if sys.platform != "win32" and child.pid is not None and child.exitcode is None:
        os.kill(child.pid, signal.SIGINT)


def _work(module: str, name: str, given: dict[str, Any], limit: float) -> None:
    """In the child: the command itself, and its exit status."""
    if sys.platform != "win32":
        os.setpgrp()  # so that an interruption comes from the parent alone, once
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        faulthandler.dump_traceback_later(limit, exit=True, file=nowhere)  # a thread of C, which needs no GIL
        try:
            getattr(importlib.import_module(module), name)(**given)
        except typer.Exit as done:
            sys.exit(done.exit_code)
        finally:
            faulthandler.cancel_dump_traceback_later()
