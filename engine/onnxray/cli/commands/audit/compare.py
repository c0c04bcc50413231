"""onnxray audit compare: what changed from one audit to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from onnxray.cli.parts.arguments import JsonOption
from onnxray.cli.parts.document import print_json
from onnxray.cli.parts.limits import limited

_MOST = 60
"""Rows of the table; the document has all."""


@limited
def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="An audit: its folder or audit.json.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="A later one.")],
    json: JsonOption = False,
) -> None:
    """Tell what changed between two audits: models, states, figures. Status 0, whatever changed.

    Example: onnxray audit compare audits/2026-10 audits/2026-11
    """
    from onnxray.assess.audit.baseline import read_audit
    from onnxray.report.audit.changes import changes

    found = changes(read_audit(old), read_audit(new))
    if json:
        print_json({"schema": 1, "old": str(old), "new": str(new), **found})
        return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table

    from onnxray.cli.parts.console import table_console

    console = table_console()
    for model in found["models"]:
        console.print(f"{model['path']}: {model['change']}")
    other = [name for name, same in found["same"].items() if not same]
    if other:
        console.print(f"differ: {', '.join(other)}")
    rows = [
        (result["model"], result["check"], _states(result) if first else "", _figure(figure))
        for result in found["results"]
        for first, figure in zip([True, *[False] * len(result["figures"])], result["figures"] or [None])
    ]
    if rows:
        table = Table("model", "check", "state", "figure")
        for row in rows[:_MOST]:
            table.add_row(*row)
        console.print(table)
    if len(rows) > _MOST:
        console.print(f"and {len(rows) - _MOST} more, which --json states")
    said = {True: "passed", False: "not passed"}
    console.print(f"{said[found['passed']['old']]} before, {said[found['passed']['new']]} now")
    if not rows and not found["models"]:
        console.print("no result changed")


def _states(result: dict[str, Any]) -> str:
    old, new = (result["state"][key] or "none" for key in ("old", "new"))
    return old if old == new else f"{old} -> {new}{' (waived)' if result['waived'] else ''}"


def _figure(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return ""
    old, new = ("none" if figure[key] is None else f"{figure[key]:.6g}" for key in ("old", "new"))
    return f"{figure['figure']}{f' ({part})' if (part := figure['slice']) else ''}: {old} -> {new}"
