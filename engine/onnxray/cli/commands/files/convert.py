"""onnxray convert: a model of another framework's files as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnxray.cli.parts.arguments import JsonOption
from onnxray.cli.parts.document import Work, print_json
from onnxray.cli.parts.limits import limited
from onnxray.cli.terminal.notes import note

if TYPE_CHECKING:
    from onnxray.model.converting import Converted


@limited
def convert(
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="net.caffemodel, or deploy.prototxt+net.caffemodel, of Caffe.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE.onnx",
            rich_help_panel="Output",
            help="What is written; by default the source's name with .onnx, in the working folder.",
        ),
    ] = None,
    prototxt: Annotated[
        str | None,
        typer.Option(
            "--prototxt",
            metavar="FILE",
            rich_help_panel="Model",
            help="The net, for testing; by default the one that lies beside the caffemodel.",
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(
            "--mean",
            metavar="FILE",
            rich_help_panel="Model",
            help="The mean image (mean.binaryproto) that is taken off pictures; it goes into the profile.",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="HEIGHTxWIDTH",
            rich_help_panel="Model",
            help="The input's size in place of the one that is stated, for nets that take several.",
        ),
    ] = None,
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel="Output", help="Replace what lies there.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write a model of another framework's files (Caffe) as an ONNX file, checked and run once by ONNX Runtime.

    Every layer's output keeps its layer's name; what is known of preprocessing goes into the file. docs/caffe.md says
    which layers are converted. A caffemodel can be used without this, too: onnxray inspect net.caffemodel

    Example: onnxray convert net.caffemodel --prototxt deploy.prototxt --mean mean.binaryproto -o net.onnx
    """
    from onnxray.images.profile.stated_fields import read_size
    from onnxray.model.converting import convert_model

    sides = None if size is None else read_size(size)
    target = out if out is not None else Path(f"{Path(source).stem}.onnx")
    made = convert_model(source, target, prototxt=prototxt, mean=mean, size=sides, overwrite=overwrite)
    for said in made.notes:
        note(said)
    if json:
        options = {"source": source, "prototxt": prototxt, "mean": mean, "size": size, "out": str(target)}
        print_json(Work(made.model, "convert", options).document([], _facts(made)))
    else:
        _show(made)


def _facts(made: Converted) -> dict[str, Any]:
    graph = made.model.graph
    return {
        "written": [str(path) for path in made.files],
        "sha256": graph.sha256,
        "nodes": len(graph.nodes),
        "parameters": graph.parameters,
        "inputs": {value.name: _dims(value.shape) for value in graph.inputs},
        "outputs": {name: list(shape) for name, shape in made.outputs.items()},
        "conversion": list(made.notes),
    }


def _dims(shape: tuple[int | str | None, ...] | None) -> list[int | str | None] | None:
    return None if shape is None else list(shape)


def _show(made: Converted) -> None:
    """For people."""
    from onnxray.cli.parts.console import line, table_console

    graph, profile = made.model.graph, made.model.profile
    console = table_console()
    shapes = "; ".join(f"{value.name} {_dims(value.shape)}" for value in graph.inputs)
    outputs = "; ".join(f"{name} {list(shape)}" for name, shape in made.outputs.items())
    stated = "none: the model takes no single picture" if profile is None else str(profile).strip("<>")
    rows = {
        "written": ", ".join(str(path) for path in made.files),
        "size": f"{graph.parameters:,} parameters, {len(graph.nodes)} nodes",
        "inputs": shapes,
        "outputs": f"{outputs}, of seeded inputs by ONNX Runtime",
        "profile": stated,
    }
    for name, entry in rows.items():
        console.print(line((f"{name:<9}", "bold"), entry))
