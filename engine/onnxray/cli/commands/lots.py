"""onnxray lots: perturb images so that their representation at a layer becomes a target's, fades, or grows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.errors import InputError
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.lots.summary import summarize
from onnxray.objectives.goals import Goal, HotColdTargets, Own, TargetImages, read_values
from onnxray.results.result import Result


@method_command(LOTS)
def lots(
    model: ModelArgument,
    origins: Annotated[
        list[str],
        typer.Argument(
            metavar="ORIGIN...",
            help="Images to perturb, folders of them, or what other inputs take, NAME=FILE.",
        ),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            help="Image whose representation is the goal; repeatable, of several inputs NAME=FILE.",
            rich_help_panel="Target",
        ),
    ] = None,
    target_values: Annotated[
        Path | None,
        typer.Option(help="A .npy or .npz file with the goal's representation alone, as `onnxray values` writes it."),
    ] = None,
    own: Annotated[
        Literal["inhibit", "magnify"] | None,
        typer.Option(
            "--self",
            help="Fade or strengthen the origin's own representation instead: how much a layer holds on to what it "
            "sees. Not the smallest change that flips the class.",
        ),
    ] = None,
    hot_cold: Annotated[
        str | None,
        typer.Option(
            "--hot-cold",
            metavar="CLASS",
            help="Make the target of each origin itself, by hot/cold towards this class: nearer at low layers than "
            "another picture.",
            rich_help_panel="Target",
        ),
    ] = None,
    pairs: Annotated[
        Literal["zip", "all"], typer.Option(help="One target for each origin in turn, or every pair.")
    ] = "zip",
    summary: Annotated[
        bool, typer.Option("--summary", help="A table and a plot over all images: how stable each layer is.")
    ] = False,
    *,
    shared: Shared,
    **options: Any,
) -> None:
    """LOTS (Rozsa, Guenther, Boult 2016): change an image so that a layer sees another in it.

    Examples: onnxray lots lenet four.png --target nine.png;  onnxray lots lenet four.png --self inhibit;
    onnxray lots face.onnx me.png --target-values template.npy --layer features --steps 200;
    onnxray lots detector.onnx street.jpg --self inhibit --until "boxes[0].score < 0.3";
    onnxray lots net.onnx rgb=a.png depth=a.npy --self inhibit --wrt depth
    """
    goal = _goal(target, target_values, own, hot_cold, pairs)
    method = LOTS(**plain_options(options))
    ending = Ending(sheets=_stability_pictures, table=_print_stability, extra=_stability, lines=_missed)
    if not summary:
        ending = Ending(sheets=_pictures, table=_print, lines=_missed)
    run_method(
        method, shared.open(model), origins, goal, shared=shared, folder="lots", beside={"summary": summary},
        ending=ending,
    )  # fmt: skip


def _goal(
    target: list[str] | None, values: Path | None, own: Any, hot_cold: str | None, pairs: Any
) -> Goal | HotColdTargets:  # fmt: skip
    options = (("--target", target), ("--target-values", values), ("--self", own), ("--hot-cold", hot_cold))
    stated = [name for name, option in options if option]
    if len(stated) != 1:
        raise InputError(
            f"{' and '.join(stated) or 'no goal'} given; give exactly one of --target IMAGE, --target-values FILE, "
            "--self inhibit|magnify, --hot-cold CLASS"
        )
    if hot_cold:
        return HotColdTargets(class_=hot_cold)
    if target:
        return TargetImages(images=target, pairing=pairs)
    return read_values(values) if values is not None else Own(mode=own)


def _missed(result: Result[Any]) -> Iterator[str]:
    """Why goals were not reached, and what to try: each reason once."""
    reasons = Counter(item.reason for item in result.items if not item.success and item.reason)
    yield from (f"{count} of {len(result.items)}: {reason}" for reason, count in reasons.items())


def _pictures(result: Result[Any]) -> dict[str, bytes]:
    from onnxray.report.lots_report import sheets

    return sheets(result)


def _print(result: Result[Any]) -> None:
    from onnxray.cli.parts.console import table_console
    from onnxray.cli.parts.tables import MOST_ROWS, perturbed_table

    console = table_console()
    console.print(perturbed_table(result.items[:MOST_ROWS]))
    if len(result.items) > MOST_ROWS:
        console.print(f"{len(result.items) - MOST_ROWS} more in result.json; --summary tells of all")


def _stability(result: Result[Any]) -> dict[str, Any]:
    return {"summary": [layer.to_dict() for layer in summarize(result.items)]}


def _stability_pictures(result: Result[Any]) -> dict[str, bytes]:
    from onnxray.report.lots_report import plot

    return {**_pictures(result), "stability.png": plot(result, summarize(result.items))}


def _print_stability(result: Result[Any]) -> None:
    from onnxray.cli.parts.console import table_console
    from onnxray.cli.parts.tables import stability_table

    norms = ".4g" if any(item.moved for item in result.items) else ".0f"
    table_console().print(stability_table(summarize(result.items), norms=norms))
