"""onnxray visualize METHOD: images made to order; one command a method, options read off its class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.table import Table

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.command_frame import progress_bar
from onnxray.cli.parts.console import table_console
from onnxray.cli.parts.finishing import finish, number_cell
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.method_options import plain_options, with_options_of
from onnxray.cli.parts.shared_options import Shared, with_shared_options
from onnxray.errors import InputError
from onnxray.methods.catalogue import family
from onnxray.methods.synthesis.base import Synthesis
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.results.result import Result

_SHOWN = 60
_OWN_COMMANDS = frozenset({"invert"})

OptionalImages = Annotated[
    list[str] | None,
    typer.Argument(metavar="[IMAGE...]", help="Image files or folders to begin from.", show_default=False),
]
TargetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="CLASS|VALUE",
        help="What is climbed: a class (number or label), NAME:CHANNEL, NAME:CHANNEL,Y,X, NAME\\[I,J], like:FILE; "
        "class:9 and value:NAME where a word could be both. Repeatable: an image for each.",
    ),
]

app = typer.Typer(
    help="Images made to order: what a class, a channel or a neuron looks for, dreams, textures, filters.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command_of(method: type[Synthesis]) -> Callable[..., None]:
    """The command of one method."""

    @limited
    @with_shared_options
    @with_options_of(method)
    def command(
        model: ModelArgument,
        images: OptionalImages = None,
        target: TargetsOption = None,
        *,
        shared: Shared,
        **options: Any,
    ) -> None:
        if not images and method.needs_images:
            raise InputError(f"{method.name} begins from images; give at least one")
        configured = method(**plain_options(options))
        opened = shared.open(model)
        goal = tuple(target) if target else None
        with shared.keeping(f"visualize-{method.name}") as keep:
            with progress_bar() as tick:
                result = configured(
                    opened, images or None, goal, seed=shared.seed, progress=tick, keep_partial=True, keep=keep
                )
            finish(result, keep, json=shared.json, drawn=_sheets, told=told)

    command.__doc__ = method.summary
    return command


def _sheets(result: Result[SynthesisItem]) -> dict[str, bytes]:
    from onnxray.report.synthesis_report import sheets

    return sheets(result)


def told(result: Result[SynthesisItem]) -> None:
    """Print the table of a run."""
    table_console().print(items_table(result))


def items_table(result: Result[SynthesisItem]) -> Table:
    """One line for each image; a column that no image fills is left out."""
    plainly = (name for item in result.items for name, value in item.numbers_.items() if not isinstance(value, dict))
    extra = list(dict.fromkeys(plainly))[:4]
    lines = [
        {
            "from": item.path or "-", "layer": item.layer or "-", "target": item.target,
            "steps": str(item.steps or "-"), "class": item.label or "-",
            "probability": "-" if item.probability is None else f"{item.probability:.4f}",
            **{name: number_cell(item.numbers_.get(name)) for name in extra},
        }
        for item in result.items[:_SHOWN]
    ]  # fmt: skip
    told = [name for name in lines[0] if any(line[name] != "-" for line in lines)]
    table = Table(*told)
    for line in lines:
        table.add_row(*(line[name] for name in told))
    return table


for _name, _method in family(Synthesis).items():  # type: ignore[type-abstract]
    if _name not in _OWN_COMMANDS:
        app.command(_name)(command_of(_method))
