"""onnxray invert: images that have a given representation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.methods.synthesis.invert import Invert
from onnxray.objectives.goals import read_values


@method_command(Invert)
def invert(
    model: ModelArgument,
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE...]",
            help="Images whose representations are inverted, or what other inputs take, NAME=FILE.",
        ),
    ] = None,
    values: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npy|.npz", help="A representation alone, as onnxray values writes it."),
    ] = None,
    *,
    shared: Shared,
    **options: Any,
) -> None:
    """Pre-images (Mahendran, Vedaldi 2015): what a layer has kept of an image.

    Examples: onnxray invert lenet four.png;  onnxray invert net.onnx cat.jpg --layer features --samples 4;
    onnxray invert net.onnx --values values.npz;  onnxray invert net.onnx row.csv --layer h --preset plain
    """
    from onnxray.cli.parts.tables import print_synthesis
    from onnxray.report.inversion_report import sheets

    method = Invert(**plain_options(options))
    goal = None if values is None else read_values(values)
    run_method(
        method, shared.open(model), images or None, goal, shared=shared, folder="invert",
        ending=Ending(sheets=sheets, table=print_synthesis),
    )  # fmt: skip
