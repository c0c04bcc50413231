"""onnxray compare: models on the same pictures, the first beside each of the others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnxray.assess.models.comparison import ModelComparison
from onnxray.cli.parts.finishing import Ending, number_cell
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.saliency_options import TargetOption
from onnxray.cli.parts.shared_options import Shared
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.results.result import Result

if TYPE_CHECKING:
    from onnxray.assess.models.item import ModelsItem

MOST_ROWS = 40
"""Rows of a table; the document has all."""
_ONNX = (".onnx", ".ort")


@method_command(ModelComparison)
def compare(
    model: Annotated[str, typer.Argument(metavar="A.onnx", help="The model that the others stand beside.")],
    images: Annotated[
        list[str],
        typer.Argument(metavar="B.onnx... IMAGE...", help="One or more models, and then images, or folders of images."),
    ],
    map_method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="METHOD",
            help="The saliency method of the maps; none leaves them out.",
            rich_help_panel="Method",
        ),
    ] = "grad-cam",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="METHOD.OPTION=VALUE",
            help="An option of that method; repeatable.",
            rich_help_panel="Method",
        ),
    ] = None,
    other_profile: Annotated[
        list[str] | None,
        typer.Option(
            "--other-profile",
            metavar="NAME|FILE.toml",
            rich_help_panel="Model",
            help="The profile of B; repeatable, one for each model behind the first. Left out, --profile is that of "
            "all, and where that is left out too, each model's own is found.",
        ),
    ] = None,
    target: TargetOption = None,
    *,
    shared: Shared,
    **options: Any,
) -> None:
    """Compare models on the same pictures: what they say, their values layer by layer, and their maps.

    Values and predictions are ONNX Runtime's. Values are matched by name, else by position, kind and shape; networks
    that differ are compared by predictions and maps alone. Models part at the first layer whose largest relative error
    is 0.001 or more and ten times that of all before it.

    Examples: onnxray compare net.onnx net-int8.onnx photos/; onnxray compare a.onnx b.onnx photo.jpg --method none
    """
    from onnxray.assess.models.calls import models_comparison
    from onnxray.methods.catalogue import family
    from onnxray.methods.options_from_text import configured
    from onnxray.methods.saliency.base import Saliency
    from onnxray.report.models_report import pictures

    files, samples = _models_and_images(model, images)
    known = family(Saliency)  # type: ignore[type-abstract]
    chosen: Any = map_method if map_method == "none" else configured(known, [map_method], settings or ())[0]
    if map_method == "none" and settings:
        raise InputError(f"--set is {short(settings[0])}, and --method none has no options")
    profiles = _profiles(files, other_profile)
    opened = [shared.open(files[0]), *(shared.other(file, profile) for file, profile in zip(files[1:], profiles))]
    comparison, first = models_comparison(opened, samples, chosen, **plain_options(options))
    run_method(
        comparison, first, samples, target, shared=shared, folder="compare", whole=len(files) - 1,
        ending=Ending(sheets=pictures, table=_print, lines=_refusals),
    )  # fmt: skip


def _models_and_images(model: str, rest: list[str]) -> tuple[list[str], list[str]]:
    """The models and the images. Errors: InputError where there is one model alone, or no image."""
    count = next((k for k, text in enumerate(rest) if not _is_model(text)), len(rest))
    models, images = [model, *rest[:count]], rest[count:]
    if count == 0:
        one = f"{short(model)}, for {short(rest[0])} ends in neither {' nor '.join(_ONNX)}"
        raise InputError(f"one model was given to compare, {one}; give two or more, and then images")
    if not images:
        raise InputError(f"{len(models)} models and no images were given; give images or folders of them at the end")
    return models, images


def _is_model(text: str) -> bool:
    """Whether what was typed is a model: by its ending, or the name of one that comes with onnxray."""
    import onnxray_models

    return text.lower().endswith(_ONNX) or (text in onnxray_models.names() and not Path(text).exists())


def _profiles(files: list[str], stated: list[str] | None) -> list[str | None]:
    """A profile for each model behind the first; None where none was stated for it. Errors: InputError."""
    others = len(files) - 1
    if not stated:
        return [None] * others
    if len(stated) != others:
        raise InputError(f"--other-profile was given {len(stated)} times for {others} models behind the first")
    return list(stated)


def _refusals(result: Result[ModelsItem]) -> list[str]:
    said = [reason for model in result.extra["models"] for reason in model["refused"]]
    said += [f"{item.path or 'image'}: {item.reason}" for item in result.items if item.reason]
    return list(dict.fromkeys(said))


def _print(result: Result[ModelsItem]) -> None:
    """A table of the pictures, and for each model the layers that are furthest off."""
    from rich.table import Table

    from onnxray.cli.parts.console import line, table_console
    from onnxray.cli.terminal.shown_names import shown_names

    console = table_console()
    table = Table("image", "model", "A says", "B says", "agree", "largest change", "maps: rank correlation")
    shown = result.items[:MOST_ROWS]
    for item, name in zip(shown, shown_names([item.path for item in shown], "-")):
        found = item.compared or {}
        change = found.get("largest_change")
        moved = "-" if change is None else f"{change['label']}: {change['before']:.3f} to {change['after']:.3f}"
        agree = "-" if "agree" not in found else "yes" if found["agree"] else line(("no", "red"))
        map_ = number_cell(item.rank_correlation)
        table.add_row(
            name,
            str(item.model),
            *(_says(said) for said in item.said),
            agree,
            moved,
            map_,
        )
    console.print(table)
    for model in result.extra["models"]:
        _print_layers(model)


def _print_layers(model: Any) -> None:
    from rich.table import Table

    from onnxray.cli.parts.console import table_console
    from onnxray.errors.shown_text import shortened

    console = table_console()
    if not model["layers"]:
        return
    table = Table(
        "layer", "matched by", "largest", "mean", "relative", "cosine", title=f"model {model['model']}: {model['path']}"
    )
    for layer in model["layers"][:MOST_ROWS]:
        numbers = (number_cell(layer[name]) for name in ("largest", "mean", "relative", "cosine"))
        table.add_row(shortened(layer["a"], 60), layer["matched_by"], *numbers)
    console.print(table)
    if len(model["layers"]) > MOST_ROWS:
        console.print(f"{len(model['layers']) - MOST_ROWS} more in result.json")
    console.print(model["alignment"])
    part = model["parts_at"]
    console.print("they do not part" if part is None else f"they part at {part}")


def _says(said: Any) -> str:
    return f"{said['label']} {said['probability']:.3f}" if "label" in said else str(said["described"])
