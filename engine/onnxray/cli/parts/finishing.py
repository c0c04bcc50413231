"""How a run that made pictures ends: completed with its sheets, told as a table or as the one JSON document."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from onnxray.cli.parts.document import command_line, made_from_this, print_json, with_page
from onnxray.cli.terminal.notes import note as say
from onnxray.cli.terminal.notes import tell_notes

if TYPE_CHECKING:
    from onnxray.cli.parts.shared_options import Shared
    from onnxray.model.model import Model
    from onnxray.results.keeping import Keeping
    from onnxray.results.result import Result


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How the end of a run is shown.

    sheets: file name -> bytes of its pictures; ``sheet.png``, or the first of them, is pointed at. table: prints it.
    extra: what the command adds to the document. lines: what is said on standard error, with --json too.
    """

    sheets: Callable[[Result[Any]], Mapping[str, bytes]]
    table: Callable[[Result[Any]], None]
    extra: Callable[[Result[Any]], Mapping[str, Any]] | None = None
    lines: Callable[[Result[Any]], Iterable[str]] | None = None


def finish(result: Result[Any], model: Model, keep: Keeping, ending: Ending, *, shared: Shared) -> None:
    """Complete a run and tell of it, as a table or as the one JSON document; status 130 where it was interrupted."""
    from onnxray.results.provenance import profile_notes

    extra = {**result.extra, **({} if ending.extra is None else ending.extra(result))}
    stamp = dataclasses.replace(
        result.provenance,
        command=tuple(command_line()),
        title=shared.title,
        made_from=made_from_this(model),
        background=None if shared.background == "white" else shared.background,
    )
    result = dataclasses.replace(result, provenance=stamp, folder=keep.path, extra=extra)
    for sentence in () if ending.lines is None else ending.lines(result):
        say(sentence)
    sheets = ending.sheets(result)
    shown = {**dataclasses.replace(result, items=()).to_dict(), "items": keep.entries}
    document = keep.complete(result, with_page(shown, keep.path, sheets))
    told = profile_notes(model.profile)  # which was said when the model was opened
    tell_notes(note for note in result.provenance.notes if note not in told)
    if shared.json:
        print_json(document)
    else:
        from onnxray.cli.parts.console import table_console

        ending.table(result)
        first = "sheet.png" if "sheet.png" in sheets else next(iter(sheets), None)
        pictures = f"pictures: {keep.path / first}   " if first is not None else ""
        table_console().print(f"{pictures}page: {keep.path / 'index.html'}   numbers: {keep.path / 'result.json'}")
    if result.provenance.interrupted:
        say_interrupted()


def say_interrupted(*, resumes: bool = True) -> NoReturn:
    """The end of a run that was interrupted, and whether --resume goes on. Errors: Exit with status 130."""
    how = "; --resume goes on with it" if resumes else ""
    say(("interrupted", "red"), f": what was finished is kept{how}")
    raise typer.Exit(130)


def number_cell(value: Any) -> str:
    """One of a method's own numbers in a table: short, "-" where there is none."""
    return f"{value:.4g}" if isinstance(value, float) else str("-" if value is None else value)
