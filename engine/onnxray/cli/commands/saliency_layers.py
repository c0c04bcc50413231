"""onnxray saliency layers: where class activation maps can be made, and where they are if nothing is said."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.document import Work, print_json, write_document
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.shared_options import Opening, with_shared_options


@limited
@with_shared_options
def layers(
    model: ModelArgument,
    value: Annotated[
        str,
        typer.Option("--value", metavar="NAME", help="The value that the target reads; layers before it are listed."),
    ] = "logits",
    *,
    shared: Opening,
) -> None:
    """List the layers with rows and columns that all which the target sees passes through; the default is marked.

    Example: onnxray saliency layers net.onnx
    """
    from onnxray.model.layers.grid import read_space
    from onnxray.model.layers.map_layers import find_layers

    opened = shared.open(model)
    work = Work(opened, "saliency layers", {"value": value}, kept=shared.keeps)
    wanted = (opened.select_value(value),)
    found = find_layers(read_space(opened), wanted)
    items = [
        {
            "name": grid.value, "shape": list(grid.shape), "rows": grid.height, "columns": grid.width,
            "channels": grid.channels, "other_tokens": grid.before + grid.after, "default": grid.value == found.default,
        }
        for grid in found.candidates
    ]  # fmt: skip
    document = work.document(items, {"value": wanted[0]})
    document = write_document(document, shared.out)
    if shared.json:
        print_json(document)
        return
    from rich.table import Table

    from onnxray.cli.parts.console import table_console

    table = Table("layer", "shape", "rows x columns", "channels", "")
    for item, grid in zip(items, found.candidates):
        table.add_row(
            grid.value, str(list(grid.shape)), grid.kind.split(",")[0], str(grid.channels),
            "default" if item["default"] else "",
        )  # fmt: skip
    table_console().print(table)
