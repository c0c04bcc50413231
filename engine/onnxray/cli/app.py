"""The commands, joined."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxray._version import __version__
from onnxray.cli.apply import apply
from onnxray.cli.classify import classify
from onnxray.cli.demo import demo
from onnxray.cli.inspect import inspect
from onnxray.cli.invert import invert
from onnxray.cli.lots import lots
from onnxray.cli.saliency import app as saliency
from onnxray.cli.values import values
from onnxray.cli.verify import verify
from onnxray.cli.visualize import app as visualize

app = typer.Typer(
    name="onnxray",
    help="Open any exported ONNX model, get trustworthy gradients at every named value of it, and run LOTS and "
    "saliency on it, judged by ONNX Runtime on the very file that ships.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (inspect, verify, classify, values, lots, invert, apply, demo):
    app.command()(command)
app.add_typer(saliency, name="saliency")
app.add_typer(visualize, name="visualize")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"onnxray {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = (
        False
    ),
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Run the program. Exit status: 0 done, 1 the request cannot be met, 2 wrong usage, 130 interrupted."""
    app()
