"""onnxray lots: perturb images so that their representation at a layer becomes a target's, fades, or grows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.command_frame import progress_bar
from onnxray.cli.parts.console import line, table_console
from onnxray.cli.parts.finishing import finish
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.method_options import plain_options, with_options_of
from onnxray.cli.parts.shared_options import Shared, with_shared_options
from onnxray.errors import InputError
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.lots.summary import LayerSummary, summarize
from onnxray.objectives.goals import Goal, Own, TargetImages, read_values
from onnxray.results.result import Result

_SHOWN = 60


@limited
@with_shared_options
@with_options_of(LOTS)
def lots(
    model: ModelArgument,
    origins: Annotated[
        list[str],
        typer.Argument(metavar="ORIGIN...", help="Images to perturb, or folders of them.", show_default=False),
    ],
    target: Annotated[
        list[str] | None, typer.Option("--target", help="Image whose representation is the goal; repeatable.")
    ] = None,
    target_values: Annotated[
        Path | None,
        typer.Option(help="A .npy or .npz file with the goal's representation alone, as `onnxray values` writes it."),
    ] = None,
    own: Annotated[
        Literal["inhibit", "magnify"] | None,
        typer.Option("--self", help="Fade or strengthen the origin's own representation instead."),
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
    """LOTS (Rozsa, Guenther, Boult 2016): the smallest change of an image that makes a layer see another.

    Examples: onnxray lots lenet four.png --target nine.png;  onnxray lots lenet four.png --self inhibit;
    onnxray lots face.onnx me.png --target-values template.npy --layer features --steps 200
    """
    goal = _goal(target, target_values, own, pairs)
    method = LOTS(**plain_options(options))
    opened = shared.open(model)
    with shared.keeping("lots", summary=summary) as keep:
        with progress_bar() as tick:
            result = method(opened, origins, goal, seed=shared.seed, progress=tick, keep_partial=True, keep=keep)
        layers = summarize(result.items) if summary else ()
        if summary:
            result = dataclasses.replace(result, extra={"summary": [layer.to_dict() for layer in layers]})
        finish(
            result, keep, json=shared.json,
            drawn=lambda done: _pictures(done, layers), told=lambda done: _print(done, layers),
        )  # fmt: skip


def _goal(target: list[str] | None, values: Path | None, own: Any, pairs: Any) -> Goal:
    given = [name for name, option in (("--target", target), ("--target-values", values), ("--self", own)) if option]
    if len(given) != 1:
        raise InputError(
            f"{' and '.join(given) or 'no goal'} given; give exactly one of --target IMAGE, --target-values FILE, "
            "--self inhibit|magnify"
        )
    if target:
        return TargetImages(images=target, pairing=pairs)
    return read_values(values) if values is not None else Own(mode=own)


def _pictures(result: Result[Any], layers: tuple[LayerSummary, ...]) -> dict[str, bytes]:
    from onnxray.report.lots_report import plot, sheets

    return sheets(result) | ({"stability.png": plot(result, layers)} if layers else {})


def _print(result: Result[Any], layers: tuple[LayerSummary, ...]) -> None:
    console = table_console()
    if layers:
        console.print(summary_table(layers))
        return
    console.print(items_table(result, _SHOWN))
    if len(result.items) > _SHOWN:
        console.print(f"{len(result.items) - _SHOWN} more in result.json; --summary tells of all")


def items_table(result: Result[Any], most: int) -> Table:
    """One line for each perturbed image."""
    table = Table("origin", "target", "layer", "class", "reached", "PASS", "L2", "Linf", "scale", "distance")
    for item in result.items[:most]:
        origin = f"{_stem(item.origin.path)} ({item.origin.label})"
        goal = "" if item.target is None else f"{_stem(item.target.path)} ({item.target.label})"
        score = "-" if item.similarity is None else f"{item.similarity.score:.4f}"
        scale = f"{item.steps} x {item.scale:g}" if item.search == "step-and-adjust" else f"{item.scale:g}"
        table.add_row(
            origin, goal or item.target_source or item.mode, item.layer, item.label,
            "yes" if item.success else Text("no", "red"), score, f"{item.l2:.0f}", f"{item.linf:.0f}", scale,
            f"{item.distance_before:.4g} -> {item.distance_after:.4g}",
        )  # fmt: skip
    return table


def summary_table(layers: tuple[LayerSummary, ...]) -> Table:
    """One line for each layer: medians and quartiles, the unreached counted as infinity."""
    table = Table("layer", "images", "reached", "L2 (quartiles)", "Linf (quartiles)", "PASS (quartiles)")
    for layer in layers:
        table.add_row(
            layer.layer, str(layer.count), f"{layer.share_reached:.0%}",
            *(_quartiles(q, d) for q, d in ((layer.l2, 0), (layer.linf, 0), (layer.similarity, 4))),
        )  # fmt: skip
    return table


def _quartiles(numbers: tuple[float, float, float] | None, digits: int) -> Text:
    if numbers is None:
        return Text("-")
    low, middle, high = ("not reached" if abs(n) == float("inf") else f"{n:.{digits}f}" for n in numbers)
    return line((middle, "bold"), f" ({low} to {high})")


def _stem(path: str | None) -> str:
    return Path(path).name if path else "array"
