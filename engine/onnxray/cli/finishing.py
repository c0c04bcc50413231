"""How a run that made pictures ends: saved with its sheets, told as a table or as the one JSON document."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer

from onnxray.cli.common import command_line, print_json, run_folder
from onnxray.cli.consoles import line, table_console, text
from onnxray.results import Result


def finish(
    result: Result[Any],
    out: Path | None,
    name: str,
    *,
    json: bool,
    drawn: Callable[[Result[Any]], Mapping[str, bytes]],
    told: Callable[[Result[Any]], None],
) -> None:
    """Save a run and tell of it; status 130 where it was interrupted.

    drawn: the run's sheets, file name -> bytes; ``sheet.png``, or the first of them, is pointed at. told: prints it.
    """
    stamp = dataclasses.replace(result.provenance, command=tuple(command_line()))
    result = dataclasses.replace(result, provenance=stamp)
    sheets = drawn(result)
    folder = run_folder(out, name)
    result = result.save(folder, sheets)
    for note in result.provenance.notes:
        text.print(note)
    if json:
        print_json(result.to_dict())
    else:
        told(result)
        shown = "sheet.png" if "sheet.png" in sheets else next(iter(sheets), None)
        pictures = f"pictures: {folder / shown}   " if shown is not None else ""
        table_console().print(f"{pictures}numbers: {folder / 'result.json'}")
    if result.provenance.interrupted:
        text.print(line(("interrupted", "red"), ": what was finished is kept"))
        raise typer.Exit(130)


def number_cell(value: Any) -> str:
    """One of a method's own numbers in a table: short, "-" where there is none."""
    return f"{value:.4g}" if isinstance(value, float) else str("-" if value is None else value)
