"""``onnxray.rerun``: a run done again from what its result says, and compared with it."""

from __future__ import annotations

import os
import shlex
import tempfile
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import typer

from onnxray.cli.parts.document import called
from onnxray.cli.rerun.command import Command, read_command
from onnxray.cli.rerun.differences import Differences, differences
from onnxray.cli.rerun.inputs import find_inputs
from onnxray.cli.rerun.old_result import OldResult, read_result
from onnxray.cli.terminal.notes import is_quiet, note, told_as
from onnxray.errors.type_checks import as_path, check_kind


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """What came of a run that was done again.

    same: every number and every byte of the files agrees, times apart. differences: a line for each place where one
    does not. elsewhere: versions and facts of the processor that differ. inputs: files that lie elsewhere now, or have
    changed. not_compared: files with times drawn on them. command: how it is typed. folder: the new run's, where one
    was asked for.
    """

    result: str
    command: tuple[str, ...]
    same: bool
    items: int
    files: int
    differences: tuple[str, ...]
    elsewhere: tuple[str, ...]
    inputs: tuple[str, ...]
    not_compared: tuple[str, ...]
    folder: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def rerun(
    result: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    changed: bool = False,
    method_file: str | None = None,
    overwrite: bool = False,
    quiet: bool = True,
) -> Rerun:
    """Do a run again from what its result.json says, and compare every number and every file's bytes with it.

    result: result.json, or the folder of the run. out: where the new run is kept; by default it is not. changed: take
    models and images whose contents changed since. method_file: ``FILE.py:CLASS``, for a result of a method of its
    user's own, whose file is never run because a document names it. overwrite: replace a run that lies in ``out``.
    quiet: say nothing on standard error. While it runs, what this process prints on standard output is dropped.
    Errors: OutputError for what is no result, InputError for files that are gone or changed, and those of the run.
    """
    for name, value in (("changed", changed), ("overwrite", overwrite), ("quiet", quiet)):
        check_kind(name, value, bool)
    check_kind("method_file", method_file, str | None)
    old = read_result(result)
    with ExitStack() as stack:
        beside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onnxray-rerun-")))
        found = find_inputs(old, beside, changed=changed)
        command = read_command(old, found.instead, method_file=method_file, changed=changed)
        folder = beside / "run" if out is None else as_path("the folder", out)
        if not quiet:
            note(shlex.join(command.typed))
        _run(command, folder, overwrite=overwrite, quiet=quiet)
        new = read_result(folder)
        told = differences(old.document, old.folder, new.document, folder, found.instead)
    return _told(old, command, found.said, told, None if out is None else folder)


def _run(command: Command, folder: Path, *, overwrite: bool, quiet: bool) -> None:
    """Run it, what it prints dropped. Errors: those of the command; KeyboardInterrupt where it was interrupted."""
    values = {**command.values, "out": folder, "json": True, "overwrite": overwrite}
    work = cast(Any, command.function).__wrapped__  # the command, whose errors are raised and not printed
    with ExitStack() as stack:
        stack.enter_context(told_as(quiet=quiet or is_quiet(), verbose=False))
        stack.enter_context(called(command.path, values, {}))
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123
        stack.enter_context(redirect_stdout(nowhere))
        if "resume" in command.function.__annotations__:
            values["resume"] = False
        try:
            work(**values)
        except typer.Exit as done:
            if done.exit_code == 130:
                raise KeyboardInterrupt from None  # status 1 is an answer, as verify gives it


def _told(old: OldResult, command: Command, said: tuple[str, ...], told: Differences, folder: Path | None) -> Rerun:
    return Rerun(
        result=str(old.file), command=command.typed, same=not told.lines, items=told.items, files=told.files,
        differences=tuple(told.lines), elsewhere=tuple(told.elsewhere), inputs=said,
        not_compared=tuple(told.untold), folder=None if folder is None else str(folder),
    )  # fmt: skip
