"""onnxray invert: images that have a given representation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from onnxray.cli.commands.visualize import told
from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.command_frame import progress_bar
from onnxray.cli.parts.finishing import finish
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.method_options import plain_options, with_options_of
from onnxray.cli.parts.shared_options import Shared, with_shared_options
from onnxray.methods.synthesis.invert import Invert
from onnxray.objectives.goals import read_values


@limited
@with_shared_options
@with_options_of(Invert)
def invert(
    model: ModelArgument,
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGE...]", help="Images whose representations are inverted.", show_default=False),
    ] = None,
    values: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npy|.npz", help="A representation alone, as onnxray values writes it.", show_default=False
        ),
    ] = None,
    *,
    shared: Shared,
    **options: Any,
) -> None:
    """Pre-images (Mahendran, Vedaldi 2015): what a layer has kept of an image.

    Examples: onnxray invert lenet four.png;  onnxray invert net.onnx cat.jpg --layer features --samples 4;
    onnxray invert net.onnx --values values.npz
    """
    from onnxray.report.inversion_report import sheets

    method = Invert(**plain_options(options))
    goal = None if values is None else read_values(values)
    opened = shared.open(model)
    with shared.keeping("invert") as keep:
        with progress_bar() as tick:
            result = method(opened, images or None, goal, seed=shared.seed, progress=tick, keep_partial=True, keep=keep)
        finish(result, keep, json=shared.json, drawn=sheets, told=told)
