"""Notes: lines on standard error beside the answer, for people. Errors are no notes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import typer

from onnxray.errors.shown_text import terminal

_LONGEST = 8000
_SEVERAL = 3
_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


def note(*parts: str | tuple[str, str]) -> None:
    """Say something on standard error: strings, as they may be shown, or a string and its colour on a terminal."""
    if _QUIET.get():
        return
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    shown = []
    for part in parts:
        text, colour = (part, None) if isinstance(part, str) else part
        shown.append(typer.style(terminal(text, _LONGEST), fg=colour if coloured else None, reset=coloured))
    print("".join(shown), file=sys.stderr)


def tell_notes(lines: Iterable[str]) -> None:
    """Say notes, one a line; what is said of ``_SEVERAL`` things and more in the same words, ``NAME: WORDS``, once."""
    every = list(lines)
    names: dict[str, list[str]] = {}
    for line in every:
        name, _, words = line.partition(": ")
        names.setdefault(words, []).append(name)
    for line in every:
        name, _, words = line.partition(": ")
        if not words or len(names[words]) < _SEVERAL:
            note(line)
        elif name == names[words][0]:
            note(f"{name} and {len(names[words]) - 1} more: {words}")


def is_quiet() -> bool:
    """Whether nothing is to be said but errors."""
    return _QUIET.get()


@contextmanager
def told_as(*, quiet: bool, verbose: bool) -> Iterator[None]:
    """Within it nothing but errors is said, or what the engine logs as well."""
    before = _QUIET.set(quiet)
    logger, log = logging.getLogger("onnxray"), _Log()
    level = logger.level
    if verbose:
        logger.addHandler(log)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(log)
        logger.setLevel(level)
        _QUIET.reset(before)


class _Log(logging.Handler):
    """What is logged, as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())
