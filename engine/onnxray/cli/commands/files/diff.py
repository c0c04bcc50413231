"""onnxray diff: what differs between two files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from onnxray.cli.parts.arguments import JsonOption
from onnxray.cli.parts.document import Work, print_json
from onnxray.cli.parts.limits import limited

if TYPE_CHECKING:
    from onnxray.graph.differences.files import Differences

_MOST = 40
"""Lines of each table; --json has all."""


@limited
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="An .onnx file, or the name of a bundled model.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The file that it is compared with.")],
    *,
    json: JsonOption = False,
) -> None:
    """Say which tensors, nodes, attributes and metadata differ between two files. Status 4 where the graph does.

    Status 0: nothing differs, or numbers of weights alone, in the file or beside it. What harden writes differs so.

    Example: onnxray diff net.onnx hardened/net.onnx
    """
    from onnxray.graph.differences.files import differences
    from onnxray.model.opening import open_model

    first, second = open_model(old), open_model(new)
    found = differences(first.graph, second.graph)
    if json:
        facts = {
            "new": {"path": str(second.graph.path), "sha256": second.graph.sha256}, "summary": found.summary(),
            "only_weights": found.only_weights, "compared": found.compared,
            "graph": [change.to_dict() for change in found.graph],
            "external_data": None if found.external is None else found.external.to_dict(),
        }  # fmt: skip
        items = [change.to_dict() for change in found.tensors]
        print_json(Work(first, "diff", {"old": old, "new": new}).document(items, facts))
    else:
        _show(found)
    if not found.only_weights:
        raise typer.Exit(4)


def _show(found: Differences) -> None:
    """For people."""
    from rich.table import Table

    from onnxray.cli.parts.console import line, table_console
    from onnxray.cli.parts.finishing import number_cell
    from onnxray.errors.shown_text import terminal

    console = table_console()
    console.print(line((found.summary(), "bold")))
    if found.tensors:
        table = Table("tensor", "type", "shape", "changed", "largest", "of its norm")
        for one in found.tensors[:_MOST]:
            changed = f"{one.changed:,} of {one.count:,}{'' if one.weight else ' (no weight)'}"
            table.add_row(
                terminal(one.name), one.dtype, str(list(one.shape)), changed, number_cell(one.largest),
                "-" if one.relative is None else f"{100 * one.relative:.3g} %",
            )  # fmt: skip
        console.print(table)
        if len(found.tensors) > _MOST:
            console.print(line(f"and {len(found.tensors) - _MOST} more; --json lists all"))
    if found.external is not None:
        console.print(line(terminal(str(found.external))))
    for change in found.graph[:_MOST]:
        console.print(line(terminal(str(change))))
    if len(found.graph) > _MOST:
        console.print(line(f"and {len(found.graph) - _MOST} more; --json lists all"))
