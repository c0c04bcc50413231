"""onnxray saliency METHOD: maps of what a target depends on; one command a method, options read off its class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import typer
from rich.table import Table

from onnxray.cli.commands.saliency_check import check_app, compare_command
from onnxray.cli.commands.saliency_layers import layers
from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.command_frame import progress_bar
from onnxray.cli.parts.console import table_console
from onnxray.cli.parts.finishing import finish, number_cell
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.method_options import plain_options, with_options_of
from onnxray.cli.parts.saliency_options import (
    BoxOption,
    MaskOption,
    ObjectOption,
    ShareOption,
    TargetOption,
)
from onnxray.cli.parts.shared_options import Shared, with_shared_options
from onnxray.errors import InputError
from onnxray.methods.catalogue import family
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.item import MapItem
from onnxray.methods.saliency.objects_of_maps import object_finder, read_references, references_of
from onnxray.results.result import Result
from onnxray.results.run_identity import digest

_SHOWN = 60

app = typer.Typer(
    help="Maps of what a score depends on, by the methods of the literature, on any exported model.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command_of(method: type[Saliency]) -> Callable[..., None]:
    """The command of one method."""

    @limited
    @with_shared_options
    @with_options_of(method)
    def command(
        model: ModelArgument,
        images: ImagesArgument,
        target: TargetOption = None,
        *,
        shared: Shared,
        object: ObjectOption = "none",
        object_share: ShareOption = None,
        reference_box: BoxOption = None,
        reference_mask: MaskOption = None,
        **options: Any,
    ) -> None:
        references = read_references(reference_box, reference_mask)
        if references and object == "none":
            raise InputError("a reference is compared with an object that is found; add --object grabcut or threshold")
        configured = method(**plain_options(options))
        opened = shared.open(model)
        pixels = opened.pixels(images)
        given = references_of(references, len(pixels))
        each = None
        if object != "none":
            each = object_finder(opened, object, given, share=object_share, seed=shared.seed)
        beside = {"object": object, "share": object_share, "boxes": reference_box, "masks": digest(reference_mask)}
        with shared.keeping(f"saliency-{method.name}", **beside) as keep:
            with progress_bar() as tick:
                result = configured(
                    opened, pixels, target, seed=shared.seed, progress=tick, keep_partial=True, keep=keep, each=each
                )
            finish(result, keep, json=shared.json, drawn=_sheets, told=_told)

    command.__doc__ = method.summary
    return command


def _sheets(result: Result[MapItem]) -> dict[str, bytes]:
    from onnxray.report.saliency_report import sheets

    return sheets(result)


def _told(result: Result[MapItem]) -> None:
    table_console().print(items_table(result))


def items_table(result: Result[MapItem]) -> Table:
    """One line for each map."""
    extra = list(dict.fromkeys(name for item in result.items for name in item.numbers_))[:3]
    found = ["object"] if any(item.object_ for item in result.items) else []
    table = Table("image", "class", "target", "value", "layer", "peak", *extra, *found)
    for item in result.items[:_SHOWN]:
        table.add_row(
            item.path or "-", item.label or "-", item.target, f"{item.target_score:.4g}",
            item.layer or "-", ",".join(map(str, item.peak)),
            *(number_cell(item.numbers_.get(name)) for name in extra),
            *(_object_text(item.object_ or {}) for _ in found),
        )  # fmt: skip
    return table


def _object_text(found: Mapping[str, Any]) -> str:
    if not found.get("box"):
        return str(found.get("reason") or "-")
    overlap = f", IoU {found['box_iou']:.2f}" if "box_iou" in found else ""
    return ",".join(map(str, found["box"])) + overlap


app.command("layers")(layers)
for _name, _method in family(Saliency).items():  # type: ignore[type-abstract]
    app.command(_name)(command_of(_method))
app.command("compare")(compare_command)
app.add_typer(check_app, name="check")
