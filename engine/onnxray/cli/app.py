"""The commands, joined."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, final

import typer
from typer.core import TyperGroup

from onnxray._version import __version__
from onnxray.cli.commands.apply import apply
from onnxray.cli.commands.classify import classify
from onnxray.cli.commands.demo import demo
from onnxray.cli.commands.inspect import inspect
from onnxray.cli.commands.invert import invert
from onnxray.cli.commands.lots import lots
from onnxray.cli.commands.saliency import app as saliency
from onnxray.cli.commands.values import values
from onnxray.cli.commands.verify import verify
from onnxray.cli.commands.visualize import app as visualize
from onnxray.errors.shown_text import one_line

# The root of what typer says of wrong usage; it is click's, and where that is depends on typer's version.
_UsageError: type[Any] = typer.BadParameter.__bases__[0]


@final
class Commands(TyperGroup):
    """Says of wrong usage what was typed as a terminal may show it."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the options of the program itself."""
        with _escaped_usage():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Read the options of a command, and run it."""
        with _escaped_usage():
            return super().invoke(ctx)


@contextmanager
def _escaped_usage() -> Iterator[None]:
    try:
        yield
    except _UsageError as error:
        error.message = one_line(error.message)
        raise


app = typer.Typer(
    name="onnxray",
    cls=Commands,
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
