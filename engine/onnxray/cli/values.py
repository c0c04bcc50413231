"""onnxray values: any named values of images, written to a .npz file."""

from __future__ import annotations

import io
from typing import Annotated
from urllib.parse import quote

import numpy as np
import typer
from rich.table import Table

from onnxray.cli.common import (
    ImagesArgument,
    ModelArgument,
    document,
    print_json,
    run_folder,
    write_document,
)
from onnxray.cli.consoles import table_console
from onnxray.cli.limits import limited
from onnxray.cli.shared import Opening, with_shared_options


@limited
@with_shared_options
def values(
    model: ModelArgument,
    images: ImagesArgument,
    value: Annotated[
        list[str],
        typer.Option("--value", metavar="NAME", help="A value's name, alias, short form or glob; repeatable."),
    ],
    engine: Annotated[str, typer.Option(metavar="judge|twin", help="ONNX Runtime, or the torch twin.")] = "judge",
    *,
    shared: Opening,
) -> None:
    """Write named values of images to values.npz, one array a value, images along its first axis.

    Example: onnxray values lenet four.png --value conv1 --value features
    """
    opened = shared.open(model)
    pixels = opened.pixels(images)
    found = opened.values(pixels, value, engine=engine)  # type: ignore[arg-type]
    keys = {name: quote(name, safe=" :;,()[]{}=+-_@") for name in found}
    items = [
        {
            "name": name,
            "key": keys[name],
            "shape": list(array.shape),
            "dtype": str(array.dtype),
            "files": {"array": "values.npz"},
        }
        for name, array in found.items()
    ]
    stream = io.BytesIO()
    np.savez(stream, **{keys[name]: array for name, array in found.items()})  # type: ignore[arg-type]
    report = document(opened, "values", items, images=list(pixels.names), engine=engine, image_notes=list(pixels.notes))
    folder = run_folder(shared.out, "values")
    write_document(report, folder, {"values.npz": stream.getvalue()})
    if shared.json:
        print_json(report)
        return
    table = Table("value", "shape", "type", title=str(folder / "values.npz"))
    for name, array in found.items():
        table.add_row(name, str(list(array.shape)), str(array.dtype))
    table_console().print(table)
