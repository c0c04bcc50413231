"""onnxray values: any named values of images, written to a .npz file."""

from __future__ import annotations

import io
from typing import Annotated
from urllib.parse import quote

import numpy as np
import typer
from rich.table import Table

from onnxray.cli.chunks import Chunks
from onnxray.cli.common import (
    ImagesArgument,
    ModelArgument,
    document,
    guarded,
    plain,
    print_json,
    provenance_of,
    table_console,
)
from onnxray.cli.finishing import say_interrupted
from onnxray.cli.shared import Growing, with_shared_options


@guarded
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
    shared: Growing,
) -> None:
    """Write named values of images to values.npz, one array a value, images along its first axis.

    Example: onnxray values lenet four.png --value conv1 --value features
    """
    opened = shared.open(model)
    pixels = opened.pixels(images)
    notes = list(pixels.notes)
    options = {"value": value, "engine": engine}
    with shared.keeping("values", **options) as keep:
        journal = keep.start(lambda: provenance_of(opened, "values"), (pixels, images))
        chunks = Chunks(len(pixels), keep, journal.entries)
        interrupted = False
        try:
            found = opened.values(pixels, value, engine=engine, through=chunks.through)  # type: ignore[arg-type]
        except KeyboardInterrupt:
            if not chunks.done:
                raise
            interrupted, pixels = True, pixels.rows(slice(0, chunks.done))
            found = opened.values(pixels, value, engine=engine, through=chunks.through)  # type: ignore[arg-type]
        keys = {name: quote(name, safe=" :;,()[]{}=+-_@") for name in found}
        items = [
            {
                "name": name, "key": keys[name], "shape": list(array.shape), "dtype": str(array.dtype),
                "files": {"array": "values.npz"},
            }
            for name, array in found.items()
        ]  # fmt: skip
        stream = io.BytesIO()
        np.savez(stream, **{keys[name]: array for name, array in found.items()})  # type: ignore[arg-type]
        more = {"images": list(pixels.names), "engine": engine, "image_notes": notes}
        report = document(opened, "values", items, **more) | {"interrupted": interrupted}
        if not interrupted:
            keep.drop(chunks.names)
        report = keep.complete_plain(report, {"values.npz": stream.getvalue()})
    if shared.json:
        print_json(report)
    else:
        table = Table("value", "shape", "type", title=plain(str(keep.path / "values.npz")))
        for name, array in found.items():
            table.add_row(plain(name), str(list(array.shape)), str(array.dtype))
        table_console().print(table)
    if interrupted:
        say_interrupted()
