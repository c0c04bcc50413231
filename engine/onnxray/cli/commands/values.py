"""onnxray values: any named values of images, written to a .npz file."""

from __future__ import annotations

import io
from typing import Annotated, Literal

import typer

from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.document import Work, print_json, with_page
from onnxray.cli.parts.finishing import say_interrupted
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.shared_options import Growing, with_shared_options


@limited
@with_shared_options
def values(
    model: ModelArgument,
    images: ImagesArgument,
    value: Annotated[
        list[str],
        typer.Option("--value", metavar="NAME", help="A value's name, alias, short form or glob; repeatable."),
    ],
    engine: Annotated[Literal["judge", "twin"], typer.Option(help="ONNX Runtime, or the torch twin.")] = "judge",
    *,
    shared: Growing,
) -> None:
    """Write named values of images to values.npz, one array a value, images along its first axis.

    Example: onnxray values lenet four.png --value conv1 --value features
    """
    from onnxray.cli.parts.kept_chunks import Chunks
    from onnxray.images.array_files import archive_key, write_npz

    opened = shared.open(model)
    options = {"value": value, "engine": engine}
    work = Work(opened, "values", options)
    pixels = opened.pixels(images)
    notes = list(pixels.notes)
    with shared.keeping("values", **options) as keep:
        journal = keep.start(work.provenance, (pixels, images))
        chunks = Chunks(len(pixels), keep, journal.entries)
        interrupted = False
        try:
            arrays = opened.values(pixels, value, engine=engine, through=chunks.through)
        except KeyboardInterrupt:
            if not chunks.done:
                raise
            interrupted, pixels = True, pixels.rows(slice(0, chunks.done))
            arrays = opened.values(pixels, value, engine=engine, through=chunks.through)
        keys = {name: archive_key(name) for name in arrays}
        items = [
            {
                "name": name, "key": keys[name], "shape": list(array.shape), "dtype": str(array.dtype),
                "files": {"array": "values.npz"},
            }
            for name, array in arrays.items()
        ]  # fmt: skip
        archive = io.BytesIO()
        write_npz(archive, ((keys[name], array) for name, array in arrays.items()))
        more = {"images": list(pixels.names), "engine": engine, "image_notes": notes}
        document = work.document(items, more, interrupted=interrupted, earlier=journal.seconds)
        if not interrupted:
            keep.drop(chunks.names)
        document = keep.complete_plain(document, with_page(document, keep.path, {"values.npz": archive.getvalue()}))
    if shared.json:
        print_json(document)
    else:
        from rich.table import Table

        from onnxray.cli.parts.console import table_console

        table = Table("value", "shape", "type")
        for name, array in arrays.items():
            table.add_row(name, str(list(array.shape)), str(array.dtype))
        table_console().print(table)
        table_console().print(f"values: {keep.path / 'values.npz'}   numbers: {keep.path / 'result.json'}")
    if interrupted:
        say_interrupted()
