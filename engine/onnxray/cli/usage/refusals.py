"""What is said where a command cannot be run: a line on standard error, with --json an object on the other stream."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from onnxray.errors.shown_text import json_text, one_line


def refuse(kind: str, message: str, status: int, *, json: bool) -> None:
    """Say why; ``message`` is one line as it may be shown. kind: the class of the error."""
    print(f"onnxray: {message}", file=sys.stderr)
    if json:
        document = {"schema": 1, "error": {"kind": kind, "message": message}, "status": status}
        print(json_text(document, ascii=True))


def refuse_usage(error: click.UsageError, arguments: Sequence[str]) -> int:
    """Say what is wrong with what was typed, and where it is explained. Gives the exit status."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    command = "onnxray" if error.ctx is None else error.ctx.command_path
    said = one_line(error.format_message().rstrip("."))
    mark = "" if said.endswith(("?", "?)")) else "."
    refuse("UsageError", one_line(f"{said}{mark} See {command} --help"), error.exit_code, json="--json" in arguments)
    return error.exit_code
