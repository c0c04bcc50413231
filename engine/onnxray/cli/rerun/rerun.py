"""onnxray rerun: the same result from what its document says, and whether it is the same."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxray.cli.parts.arguments import JsonOption, OutOption, OverwriteOption
from onnxray.cli.parts.document import command_line, print_json
from onnxray.cli.parts.limits import limited
from onnxray.cli.terminal.notes import note

MOST_LINES = 100
"""Differences that are printed; --json has all."""


@limited
def rerun(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="result.json of a run, or the folder of the run.")],
    changed: Annotated[
        bool,
        typer.Option("--changed", help="Take models and images whose contents changed since.", rich_help_panel="Model"),
    ] = False,
    method_file: Annotated[
        str | None,
        typer.Option(
            "--method-file",
            metavar="FILE.py:CLASS",
            rich_help_panel="Method",
            help="For a result of a method of your own: its file, which is run. None is run because a result names it.",
        ),
    ] = None,
    json: JsonOption = False,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Do a run again from what its result.json says, and compare every number and every file. Status 1 if one differs.

    Inputs are found where they were or beside the result, by their sha256. Versions and processors that differ are
    said. Times are left out.

    Examples: onnxray rerun run/result.json; onnxray rerun run -o again --json
    """
    from onnxray.cli.rerun.calls import rerun as again

    if out is not None and not overwrite:
        from onnxray.cli.parts.shared_options import refuse_another_run

        refuse_another_run(out)
    done = again(result, out=out, changed=changed, method_file=method_file, overwrite=overwrite, quiet=False)
    for line in done.inputs:
        note(line)
    if json:
        print_json({"schema": 1, "again": command_line(), **done.to_dict()})
    else:
        for line in (*done.elsewhere, *done.not_compared):
            print(line)
        for line in done.differences[:MOST_LINES]:
            print(line)
        if len(done.differences) > MOST_LINES:
            print(f"{len(done.differences) - MOST_LINES} differences more, which --json states")
        compared = f"{_counted(done.items, 'item')} and {_counted(done.files, 'file')}"
        many = _counted(len(done.differences), "difference")
        print(f"the same: {compared}" if done.same else f"{many} in {compared}")
    if not done.same:
        raise typer.Exit(1)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
