"""What is said where a command cannot be run: a line on standard error, with --json an object on the other stream."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, final

import typer

from onnxray.errors.short_values import short
from onnxray.errors.shown_text import json_text, one_line


@final
class WrongUsage(typer.TyperException):
    """What was typed, or stands in a file of defaults, is wrong in a way that typer does not see."""

    exit_code = 2

    def __init__(self, message: str, context: Any = None) -> None:
        super().__init__(message)
        self.ctx = context


def refuse(kind: str, message: str, status: int, *, json: bool) -> None:
    """Say why; ``message`` is one line as it may be shown. kind: the class of the error."""
    print(f"onnxray: {message}", file=sys.stderr)
    if json:
        document = {"schema": 1, "error": {"kind": kind, "message": message}, "status": status}
        print(json_text(document, ascii=True))


def refuse_usage(error: typer.TyperException, arguments: Sequence[str]) -> int:
    """Say what is wrong with what was typed, and where it is explained. Gives the exit status."""
    context = getattr(error, "ctx", None)
    command = "onnxray" if context is None else context.command_path
    _suggest_near_options(error)
    said = one_line(error.format_message().rstrip(".") + _value_of(error))
    mark = "" if said.endswith(("?", "?)")) else "."
    refuse("UsageError", one_line(f"{said}{mark} See {command} --help"), error.exit_code, json="--json" in arguments)
    return error.exit_code


def _suggest_near_options(error: Any) -> None:
    """Suggest options that are near without their dashes: two of these alone make '--target' near to '--strict'."""
    possible = {name.lstrip("-"): name for name in getattr(error, "possibilities", None) or ()}
    if possible:
        error.possibilities = [possible[name] for name in get_close_matches(error.option_name.lstrip("-"), possible)]


def _value_of(error: typer.TyperException) -> str:
    """The value that is wrong, where typer says only what was expected: pydantic, which reads values, has it."""
    errors = getattr(error.__cause__, "errors", None)
    value = "" if errors is None else short(errors()[0]["input"])
    return "" if value in error.format_message() else f", not {value}"
