"""onnxray saliency METHOD: maps of what a target depends on; one command a method, options read off its class."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.table import Table

from onnxray.cli.common import (
    DeviceOption,
    ImagesArgument,
    JsonOption,
    ModelArgument,
    OutOption,
    ProfileOption,
    SeedOption,
    StrictOption,
    command_line,
    guarded,
    open_model,
    plain,
    print_json,
    progress_bar,
    run_folder,
    table_console,
    text,
)
from onnxray.cli.options import with_options_of
from onnxray.cli.saliency_layers import layers
from onnxray.map_item import MapItem
from onnxray.methods import family
from onnxray.results import Result
from onnxray.saliency import Saliency

_SHOWN = 60

TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="CLASS|VALUE",
        help="What is explained: a class (number or label), NAME:CHANNEL, NAME:CHANNEL,Y,X, NAME\\[I,J] or "
        "NAME\\[max,J] (a detector's number), like:FILE or like:FILE@NAME (cosine of an embedding with an image's "
        "or a .npy). class:9 and value:NAME where a word could be both. Default: ONNX Runtime's class of each image.",
    ),
]

app = typer.Typer(
    help="Maps of what a score depends on, by the methods of the literature, on any exported model.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command_of(method: type[Saliency]) -> Callable[..., None]:
    """The command of one method."""

    @guarded
    @with_options_of(method)
    def command(
        model: ModelArgument,
        images: ImagesArgument,
        target: TargetOption = None,
        seed: SeedOption = 0,
        profile: ProfileOption = None,
        device: DeviceOption = "cpu",
        strict: StrictOption = False,
        json: JsonOption = False,
        out: OutOption = None,
        **options: Any,
    ) -> None:
        options = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
        configured = method(**options)
        opened = open_model(model, profile, device, strict)
        with progress_bar() as tick:
            result = configured(opened, images, target, seed=seed, progress=tick, keep_partial=True)
        finish(result, out, f"saliency-{method.name}", json=json)

    command.__doc__ = method.__doc__
    return command


def finish(result: Result[MapItem], out: Any, name: str, *, json: bool) -> None:
    """Save a run, and tell of it."""
    from onnxray.report.saliency_report import sheets

    stamp = dataclasses.replace(result.provenance, command=tuple(command_line()))
    result = dataclasses.replace(result, provenance=stamp)
    folder = run_folder(out, name)
    result = result.save(folder, sheets(result))
    for note in result.provenance.notes:
        text.print(plain(note))
    if json:
        print_json(result.to_dict())
    else:
        console = table_console()
        console.print(items_table(result))
        shown = folder / ("sheet.png" if any(item.images for item in result.items) else "result.json")
        console.print(f"pictures: {plain(str(shown))}   numbers: {plain(str(folder / 'result.json'))}")
    if result.provenance.interrupted:
        text.print("[red]interrupted[/]: what was finished is kept")
        raise typer.Exit(130)


def items_table(result: Result[MapItem]) -> Table:
    """One line for each map."""
    extra = list(dict.fromkeys(name for item in result.items for name in item.numbers_))[:3]
    table = Table("image", "class", "target", "value", "layer", "peak", *extra)
    for item in result.items[:_SHOWN]:
        table.add_row(
            plain(item.path or "-"), plain(item.label or "-"), plain(item.target), f"{item.target_score:.4g}",
            plain(item.layer or "-"), ",".join(map(str, item.peak)),
            *(_cell(item.numbers_.get(name)) for name in extra),
        )  # fmt: skip
    return table


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else plain(str("-" if value is None else value))


app.command("layers")(layers)
for _name, _method in family(Saliency).items():  # type: ignore[type-abstract]
    app.command(_name)(command_of(_method))
