"""onnxray saliency check METHOD and onnxray saliency compare: can the maps be believed, and which tells most."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from onnxray.assess.maps.check import Check
from onnxray.assess.maps.comparison import Figures, compare
from onnxray.assess.maps.item import CheckedItem
from onnxray.assess.maps.summary import figure, summarize
from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.command_frame import progress_bar
from onnxray.cli.parts.console import table_console, text
from onnxray.cli.parts.finishing import finish
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.method_options import plain_options, with_options_of
from onnxray.cli.parts.saliency_options import BoxOption, MaskOption, TargetOption
from onnxray.cli.parts.shared_options import Shared, with_shared_options
from onnxray.methods.catalogue import family
from onnxray.methods.options_from_text import configured
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.objects_of_maps import read_references
from onnxray.results.result import Result
from onnxray.results.run_identity import digest

_SHOWN = 60
_COLUMNS = ("insertion", "deletion", "pointed_at", "noise_mean", "noise_max", "noise_correlation", "seconds")

check_app = typer.Typer(
    help="Put a method to the test on images: insertion and deletion curves with their areas (Petsiuk 2018), the "
    "pointing game where a box is given, stability under noise (Yeh 2019), and the rank correlation with the maps of "
    "the network whose weights were drawn anew, layer by layer from the output down (Adebayo 2018).",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def check_command_of(method: type[Saliency]) -> Callable[..., None]:
    """The check of one method; the method's options stand beside the check's own."""
    own = {field.name for field in dataclasses.fields(method)}

    @limited
    @with_shared_options
    @with_options_of(Check, method)
    def command(
        model: ModelArgument,
        images: ImagesArgument,
        target: TargetOption = None,
        reference_box: BoxOption = None,
        reference_mask: MaskOption = None,
        *,
        shared: Shared,
        **options: Any,
    ) -> None:
        from onnxray.report.map_check_report import check_pictures

        given = plain_options(options)
        check = Check(
            method=method(**{name: value for name, value in given.items() if name in own}),
            references=read_references(reference_box, reference_mask),
            **{name: value for name, value in given.items() if name not in own},
        )
        opened = shared.open(model)
        beside = {"boxes": reference_box, "masks": digest(reference_mask)}
        with shared.keeping(f"saliency-check-{method.name}", **beside) as keep:
            with progress_bar() as tick:
                result = check(opened, images, target, seed=shared.seed, progress=tick, keep_partial=True, keep=keep)
            result = dataclasses.replace(result, extra={"summary": summarize(result.items)})
            finish(result, keep, json=shared.json, drawn=check_pictures, told=_told)

    command.__doc__ = f"Whether the maps of {method.name} can be believed."
    return command


@limited
@with_shared_options
def compare_command(
    model: ModelArgument,
    images: ImagesArgument,
    methods: Annotated[
        str | None, typer.Option("--methods", metavar="A,B,...", help="The methods, by name. Default: all there are.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METHOD.OPTION=VALUE", help="An option of a method; repeatable."),
    ] = None,
    target: TargetOption = None,
    reference_box: BoxOption = None,
    reference_mask: MaskOption = None,
    curve_steps: Annotated[
        int, typer.Option(min=0, help="Steps of the insertion and deletion curves; 0 leaves them out.")
    ] = 50,
    curve_start: Annotated[
        Literal["blur", "mean"], typer.Option(help="What insertion starts from: the image blurred, or mean colour.")
    ] = "blur",
    pointing_tolerance: Annotated[
        float, typer.Option(min=0, help="Pixels that the peak may lie beside the reference box.")
    ] = 15.0,
    *,
    shared: Shared,
) -> None:
    """All maps of several methods over the images on one sheet, with insertion and deletion areas, pointing, seconds.

    A method that the network cannot have is shown with its reason.
    """
    from onnxray.report.map_check_report import comparison_pictures

    known = family(Saliency)  # type: ignore[type-abstract]
    chosen = configured(known, list(known) if methods is None else methods.split(","), settings or ())
    figures = Figures(curve_steps=curve_steps, curve_start=curve_start, pointing_tolerance=pointing_tolerance)
    opened = shared.open(model)
    references = read_references(reference_box, reference_mask)
    beside = {"boxes": reference_box, "masks": digest(reference_mask)}
    with shared.keeping("saliency-compare", **beside) as keep:
        with progress_bar() as tick:
            result = compare(
                opened, images, chosen, target, references=references, figures=figures, seed=shared.seed,
                progress=tick, keep=keep,
            )  # fmt: skip
        for entry in result.extra["refused"]:
            text.print(f"{entry['method']} on {entry['path'] or 'image'}: {entry['reason']}")
        finish(result, keep, json=shared.json, drawn=comparison_pictures, told=_told)


def _told(result: Result[CheckedItem]) -> None:
    console = table_console()
    console.print(_images_table(result.items))
    for table in _summary_tables(result.extra["summary"]):
        console.print(table)


def _images_table(items: Sequence[CheckedItem]) -> Table:
    columns = [name for name in _COLUMNS if any(figure(item, name) is not None for item in items)]
    table = Table("image", "method", "layer", "target", *columns)
    for item in items[:_SHOWN]:
        table.add_row(
            item.map.path or "-", item.map.method, item.map.layer or "-", item.map.target,
            *(_number(figure(item, name)) for name in columns),
        )  # fmt: skip
    return table


def _summary_tables(summary: Sequence[Mapping[str, Any]]) -> list[Table]:
    columns = [name for name in _COLUMNS if any(name in entry for entry in summary)]
    table = Table("method", "layer", "images", *columns, title="mean (median)")
    for entry in summary:
        spread = [entry.get(name) for name in columns]
        table.add_row(
            entry["method"], entry["layer"] or "-", str(entry["images"]),
            *("-" if found is None else f"{found['mean']:.3f} ({found['median']:.3f})" for found in spread),
        )  # fmt: skip
    tables = [table]
    for entry in summary:
        if "weights" in entry:
            layers = Table("weights drawn anew", "rank correlation, mean (median)", title=entry["layer"] or "")
            for found in entry["weights"]:
                known = found["count"]
                said = f"{found['mean']:.3f} ({found['median']:.3f})" if known else "-"
                layers.add_row(found["layer"], said)
            tables.append(layers)
    return tables


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


for _name, _method in family(Saliency).items():  # type: ignore[type-abstract]
    check_app.command(_name)(check_command_of(_method))
