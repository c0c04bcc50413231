"""onnxray visualize METHOD: images made to order; one command a method, options read off its class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.errors import InputError
from onnxray.methods.synthesis.base import Synthesis

OptionalImages = Annotated[
    list[str] | None,
    typer.Argument(metavar="[IMAGE...]", help="Image files or folders to begin from."),
]
TargetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        rich_help_panel="Target",
        metavar="CLASS|VALUE",
        help="What is climbed: a class (number or label), NAME:CHANNEL, NAME:CHANNEL,Y,X, NAME[I,J], like:FILE; "
        "class:9 and value:NAME where a word could be both. Repeatable: an image for each.",
    ),
]


def command_of(method: type[Synthesis]) -> Callable[..., None]:
    """The command of one method."""

    @method_command(method)
    def command(
        model: ModelArgument,
        images: OptionalImages = None,
        target: TargetsOption = None,
        *,
        shared: Shared,
        **options: Any,
    ) -> None:
        from onnxray.cli.parts.tables import print_synthesis
        from onnxray.report.synthesis_report import sheets

        if not images and method.needs_images:
            raise InputError(f"{method.name} begins from images; give at least one")
        configured = method(**plain_options(options))
        run_method(
            configured, shared.open(model), images or None, tuple(target) if target else None, shared=shared,
            folder=f"visualize-{method.name}", ending=Ending(sheets=sheets, table=print_synthesis),
        )  # fmt: skip

    beside = {"maximize": " --target goldfish", "style": " photo.jpg --style painting.jpg", "filters": ""}
    example = f"onnxray visualize {method.name} net.onnx{beside.get(method.name, ' photo.jpg')}"
    command.__doc__ = f"{method.summary}\n\nExample: {example}"
    return command
