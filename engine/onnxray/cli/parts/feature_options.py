"""What the commands of ``onnxray features`` share: folders, labels, and how a run with broken pictures ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnxray.cli.terminal.notes import note

if TYPE_CHECKING:
    from onnxray.cli.parts.finishing import Ending
    from onnxray.cli.parts.shared_options import Shared
    from onnxray.methods.features.base import Features
    from onnxray.model.model import Model

FoldersArgument = Annotated[
    list[str], typer.Argument(metavar="FOLDER...", help="Folders of pictures, or picture files.")
]
TrueLabelsOption = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="FILE.csv|folders",
        rich_help_panel="Method",
        help="The classes of the pictures: a CSV of file,label, or folders: each picture lies in a folder named by its "
        "class. (The names of the model's classes: --class-names.)",
    ),
]


def run_features(method: Features[Any], model: Model, folders: list[str], *, shared: Shared, ending: Ending) -> None:
    """Run a method on folders and tell of it. Errors: Exit with status 1 where pictures could not be read."""
    from onnxray.cli.parts.method_command import run_method

    left_out = 0

    def counted(result: Any) -> list[str]:
        nonlocal left_out
        left_out = int(result.extra.get("left_out", 0))
        return [] if ending.lines is None else list(ending.lines(result))

    from dataclasses import replace

    run_method(
        method, model, folders, shared=shared, folder="-".join(method.command()),
        ending=replace(ending, lines=counted),
    )  # fmt: skip
    say_left_out(left_out)


def say_left_out(count: int) -> None:
    """The end of a run that left pictures out. Errors: Exit with status 1 where it did."""
    if count:
        which = "1 picture that cannot be read was" if count == 1 else f"{count} pictures that cannot be read were"
        note(f"{which} left out, so the exit status is 1; all that is written is of the others")
        raise typer.Exit(1)
