"""The commands, joined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, cast, final

import typer

from onnxray._version import __version__
from onnxray.cli.lazy_group import Command, Family, Joined, LazyGroup, Listed, listed
from onnxray.errors.shown_text import one_line

# The root of what typer says of wrong usage; it is click's, and where that is depends on typer's version.
_UsageError: type[Any] = typer.BadParameter.__bases__[0]


_SALIENCY = "onnxray.methods.saliency.base:Saliency"
_SYNTHESIS = "onnxray.methods.synthesis.base:Synthesis"

_COMMANDS = {
    "inspect": (
        "onnxray.cli.commands.inspect:inspect",
        "Show a model's inputs, outputs, layers and values, opsets, producer, batch, and the profile in force.",
    ),
    "verify": (
        "onnxray.cli.commands.verify:verify",
        "Compare the torch twin with ONNX Runtime at every value; name the first node at fault. Status 1 if one is.",
    ),
    "classify": (
        "onnxray.cli.commands.classify:classify",
        "Say what the file itself says of images, by ONNX Runtime: classes, or what else its output is.",
    ),
    "values": (
        "onnxray.cli.commands.values:values",
        "Write named values of images to values.npz, one array a value, images along its first axis.",
    ),
    "lots": (
        "onnxray.cli.commands.lots:lots",
        "LOTS (Rozsa, Guenther, Boult 2016): change an image so that a layer sees another in it.",
    ),
    "invert": (
        "onnxray.cli.commands.invert:invert",
        "Pre-images (Mahendran, Vedaldi 2015): what a layer has kept of an image.",
    ),
    "apply": (
        "onnxray.cli.commands.apply:apply",
        "Turn pictures into what an image-to-image network makes of them, by ONNX Runtime.",
    ),
    "demo": (
        "onnxray.cli.commands.demo:demo",
        "Run LOTS on the bundled LeNet and its 100 digits: x-, x+, a 4 turned into a 9, and how stable each layer is.",
    ),
}
"""Name -> where the command is, and the first paragraph of its docstring, which the list shows without importing it."""

_MAP_COMMANDS = {
    "layers": (
        "onnxray.cli.commands.saliency_layers:layers",
        "List the layers with rows and columns that all which the target sees passes through; the default is marked.",
    ),
    "compare": (
        "onnxray.cli.commands.saliency_compare:compare",
        "All maps of several methods over the images on one sheet, with insertion and deletion areas, pointing, "
        "seconds.",
    ),
}
"""The same, of the commands beside the methods."""

_HELP = {
    "saliency": "Maps of what a score depends on, by the methods of the literature, on any exported model.",
    "visualize": "Images made to order: what a class, a channel or a neuron looks for, dreams, textures, filters.",
    "check": "Put a method to the test on images: insertion and deletion curves with their areas (Petsiuk 2018), the "
    "pointing game where a box is given, stability under noise (Yeh 2019), and the rank correlation with the maps of "
    "the network whose weights were drawn anew, layer by layer from the output down (Adebayo 2018).",
}


def _group(name: str, listing: Mapping[str, Listed]) -> Listed:
    return Listed(
        name, _HELP[name], lambda: LazyGroup(name=name, help=_HELP[name], no_args_is_help=True, listing=listing)
    )


def _listing() -> dict[str, Listed]:
    """Every command below ``onnxray``."""
    check = _group("check", Family(_SALIENCY, "onnxray.cli.commands.saliency_check:command_of"))
    maps = Family(_SALIENCY, "onnxray.cli.commands.saliency:command_of")
    beside = listed(_MAP_COMMANDS)
    saliency = Joined({"layers": beside["layers"]}, maps, {"compare": beside["compare"], "check": check})
    # What is inverted has data arguments of its own, and is a command beside these.
    pictures = Family(_SYNTHESIS, "onnxray.cli.commands.visualize:command_of", without=frozenset({"invert"}))
    return {
        **listed(_COMMANDS), "saliency": _group("saliency", saliency), "visualize": _group("visualize", pictures)
    }  # fmt: skip


@final
class Commands(LazyGroup):
    """All commands; says of wrong usage what was typed as a terminal may show it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(listing=_listing(), **options)

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


def function_at(path: Sequence[str]) -> Command:
    """The function of the command that is called so: ``("saliency", "check", "gradient")``."""
    found: Any = Commands()
    for name in path:
        found = found.commands[name].load()
    return cast(Command, found)


def main() -> None:
    """Run the program. Exit status: 0 done, 1 the request cannot be met, 2 wrong usage, 130 interrupted."""
    app()
