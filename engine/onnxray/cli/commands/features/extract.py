"""onnxray features extract: named values of folders of pictures, in one file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.command_frame import progress_bar
from onnxray.cli.parts.document import Work, print_json, with_page
from onnxray.cli.parts.feature_options import FoldersArgument, TrueLabelsOption, say_left_out
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.shared_options import Growing, with_shared_options


@limited
@with_shared_options
def extract(
    model: ModelArgument,
    images: FoldersArgument,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            metavar="NAME",
            rich_help_panel="Method",
            help="A value's name, alias, short form or glob; repeatable. Default: what the last layer reads.",
        ),
    ] = None,
    pool: Annotated[
        Literal["none", "mean", "max"],
        typer.Option(
            help="What is kept of a value with rows and columns: all, or a number a channel.", rich_help_panel="Method"
        ),
    ] = "none",
    format: Annotated[
        Literal["npz", "parquet"],
        typer.Option(help="npz: numpy's archive; parquet: a table with a row a picture.", rich_help_panel="Output"),
    ] = "npz",
    predictions: Annotated[
        bool,
        typer.Option(
            "--predictions/--no-predictions",
            rich_help_panel="Method",
            help="Beside the values what the file says of each picture, which takes a pass more.",
        ),
    ] = True,
    true_labels: TrueLabelsOption = None,
    *,
    shared: Growing,
) -> None:
    """Write named values of folders of pictures to one file, with names, sha256, labels and predictions.

    The number of pictures is not bounded by memory. With -o DIR a run that was stopped is gone on with by --resume.

    Examples: onnxray features extract net.onnx photos/ --layer features -o codes;
    onnxray features extract net.onnx classes/ --labels folders --layer last-conv --pool mean --format parquet
    """
    from onnxray.cli.parts.finishing import say_interrupted
    from onnxray.cli.terminal.notes import tell_notes
    from onnxray.errors import ImageError
    from onnxray.images.picture_list import left_out_notes
    from onnxray.images.true_labels import known_labels
    from onnxray.methods.features.base import default_layer, listed
    from onnxray.methods.features.extraction import FILES, Extracted, Extraction, pyarrow
    from onnxray.methods.option_checks import refuse_without_images

    opened = shared.open(model)
    refuse_without_images(opened, "features extract works on pictures")
    if format == "parquet":
        pyarrow()
    options = {
        "layer": layer, "pool": pool, "format": format, "predictions": predictions, "true_labels": true_labels
    }  # fmt: skip
    work = Work(opened, "features-extract", options)
    names = opened.select_values(layer) if layer else (default_layer(opened),)
    pictures = listed(opened, images, true_labels)
    if true_labels is not None:
        known_labels(pictures.names, true_labels)
    with shared.keeping("features-extract", **options) as keep:
        journal = keep.start(work.provenance, (pictures, images))
        with progress_bar() as bar:
            try:
                asked = Extraction(layers=names, pool=pool, predictions=predictions)
                found = asked.walk(opened, pictures, keep.work, lambda k, n: bar(k, n, f"values of {n} pictures"))
            except KeyboardInterrupt:
                say_interrupted()
        notes = [*pictures.notes, *left_out_notes(found.left_out, len(pictures))]
        if not len(found.places):
            raise ImageError("none of the pictures can be read")
        labels = None
        if true_labels is not None:
            labels = known_labels([pictures.names[place] for place in found.places], true_labels)
            if missing := labels.count(None):
                notes.append(f"{missing} of {len(labels)} pictures have no label in {true_labels}: theirs is empty")
        extracted = Extracted.of(opened, pictures, found, labels)
        keep.put_file(FILES[format], extracted.write)
        keys = extracted.keys()
        items: list[dict[str, Any]] = [
            {
                "name": name, "key": keys[name], "shape": list(array.shape), "dtype": str(array.dtype), "pool": pool,
                "file": FILES[format], "files": {},
            }
            for name, array in extracted.values.items()
        ]  # fmt: skip
        more = {
            "pictures": len(found.places), "left_out": len(found.left_out), "beside": sorted(extracted.pictures),
            "image_notes": notes,
        }  # fmt: skip
        document = work.document(items, more, earlier=journal.seconds)
        document = keep.complete_plain(document, with_page(document, keep.path, {}))
    tell_notes(notes)
    if shared.json:
        print_json(document)
    else:
        from rich.table import Table

        from onnxray.cli.parts.console import table_console

        table = Table("value", "shape", "type", title=str(keep.path / FILES[format]))
        for item in items:
            table.add_row(item["name"], str(item["shape"]), item["dtype"])
        table_console().print(table)
    say_left_out(len(found.left_out))
