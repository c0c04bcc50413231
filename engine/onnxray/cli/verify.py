"""onnxray verify: is the torch twin, which gradients come from, the same network as the file?"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from onnxray.cli.common import (
    DeviceOption,
    JsonOption,
    ModelArgument,
    OutOption,
    ProfileOption,
    StrictOption,
    document,
    guarded,
    open_model,
    plain,
    print_json,
    table_console,
    write_document,
)


@guarded
def verify(
    model: ModelArgument,
    images: Annotated[
        list[str] | None, typer.Argument(metavar="[IMAGE...]", help="Images to compare on; seeded ones if none.")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="Largest difference, relative to the largest number.")] = 1e-3,
    profile: ProfileOption = None,
    device: DeviceOption = "cpu",
    strict: StrictOption = False,
    json: JsonOption = False,
    out: OutOption = None,
) -> None:
    """Compare the torch twin with ONNX Runtime at every value; name the first that diverges. Status 1 if one does.

    Example: onnxray verify lenet
    """
    opened = open_model(model, profile, device, strict)
    found = opened.verify(images or None, tolerance=tolerance)
    told = found.to_dict()
    rows = told.pop("values")
    report = document(opened, "verify", rows, **told)
    write_document(report, out)
    if json:
        print_json(report)
    else:
        console = table_console()
        table = Table("value", "node", "operator", "largest difference", "relative", "", title="twin against judge")
        for row in found.comparisons:
            mark = "[green]agrees[/]" if row.agrees else "[red]DIVERGES[/]"
            names = [plain(str(cell or "")) for cell in (row.name, row.node, row.operator)]
            table.add_row(*names, f"{row.absolute:.2e}", f"{row.relative:.2e}", mark)
        console.print(table)
        first = found.first_divergence
        if first is None:
            console.print(
                f"[green]{len(found.comparisons)} values agree[/] within {tolerance:g} on {found.inputs} inputs."
            )
        else:
            console.print(
                f"[red]{plain(first.name)!r} is the first to diverge[/]: node {plain(str(first.node))!r}, operator "
                f"{first.operator}, {first.relative:.2e} relative"
            )
        console.print(f"Reading every inner value moves the judge's own outputs by {found.outputs_moved:.2e}.")
        if found.skipped:
            console.print(f"Not compared (no real numbers, or constant): {len(found.skipped)} values.")
    if not found.agrees:
        raise typer.Exit(1)
