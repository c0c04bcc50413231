"""onnxray harden: the file trained on perturbed pictures, and written as the same graph with other weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.feature_options import FoldersArgument, TrueLabelsOption
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.results.result import Result
from onnxray.training.hardening import Harden, folders_of
from onnxray.training.item import EpochItem

if TYPE_CHECKING:
    from onnxray.graph.trainable.listing import Constant
    from onnxray.model.model import Model


@method_command(Harden)
def harden(
    model: ModelArgument,
    images: FoldersArgument,
    true_labels: TrueLabelsOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="List what would be trained, and why the rest is not; train nothing."),
    ] = False,
    *,
    shared: Shared,
    **options: Any,
) -> None:
    """Train the file on perturbed pictures so that it withstands them; the same graph is written, with other weights.

    A file of the model's own name is written into the run's folder: only the bytes of what was trained are others, as
    onnxray diff says. A run that was stopped is gone on with by --resume, to the same file.

    Examples: onnxray harden net.onnx photos/ --labels labels.csv --eps 4 --epochs 20 -o hardened;
    onnxray harden net.onnx classes/ --labels folders --attacks lots,pgd; onnxray harden net.onnx photos/ --dry-run
    """
    from onnxray.report.training.hardening_report import pictures

    method = Harden(**plain_options(options))
    opened = shared.open(model)
    if dry_run:
        _list(opened, method, json=shared.json)
        return
    run_method(
        method, opened, folders_of(images, true_labels), true_labels, shared=shared, folder="harden",
        ending=Ending(sheets=pictures, table=_print),
    )  # fmt: skip


def _list(model: Model, method: Harden, *, json: bool) -> None:
    """What would be trained."""
    from rich.table import Table

    from onnxray.cli.parts.console import line, table_console
    from onnxray.cli.parts.document import Work, print_json
    from onnxray.graph.trainable.listing import constants_of
    from onnxray.training.recalibration import normalisations

    listed = constants_of(model.graph, [method.logits(model)])
    names = {one.name for one in method.constants(model)}
    numbers = sum(one.count for one in listed if one.name in names)
    remarks = _remarks(model, listed, bool(normalisations(model.graph)))
    if json:
        items = [_entry(one, trained=one.name in names) for one in listed]
        extra = {"trained": len(names), "numbers": numbers, "remarks": remarks}
        print_json(Work(model, "harden", {**method.options(), "dry_run": True}).document(items, extra))
        return
    table = Table("constant", "type", "shape", "trained", "read by")
    for one in listed:
        said = "yes" if one.name in names else f"no: {one.reason or 'it is not among those that are named'}"
        table.add_row(one.name, one.dtype, str(list(one.shape)), said, "; ".join(one.reads[:3]))
    console = table_console()
    console.print(table)
    console.print(line((f"{len(names)} of {len(listed)} constants are trained, {numbers:,} numbers", "bold")))
    for remark in remarks:
        console.print(line(remark))


def _entry(one: Constant, *, trained: bool) -> dict[str, Any]:
    return {
        "name": one.name, "held": one.held, "dtype": one.dtype, "shape": list(one.shape), "reads": list(one.reads),
        "trained": trained, "reason": None if trained else one.reason or "it is not among those that are named",
    }  # fmt: skip


def _remarks(model: Model, listed: tuple[Constant, ...], normalised: bool) -> list[str]:
    """What should be known of training this file."""
    found = []
    if normalised:
        found.append("batch normalisation keeps the file's statistics; --bn recalibrate measures them anew at the end")
    elif any(node.operator in {"Conv", "FusedConv"} for node in model.graph.nodes):
        found.append("no batch normalisation is left in the file: take small rates, and clip gradients: --clip 1")
    if any(one.dtype in {"float16", "bfloat16"} for one in listed):
        found.append("weights of 16 bits are trained in float32 and rounded after every step")
    if any(one.quantised for one in listed):
        found.append(
            "whole numbers are trained as the real ones that they stand for, and rounded to the file's own scale"
        )
    if any(node.operator == "Dropout" for node in model.graph.nodes):
        found.append("Dropout nodes do nothing, as in the file; --dropout lets them draw")
    return found


def _print(result: Result[EpochItem]) -> None:
    from rich.table import Table

    from onnxray.cli.parts.console import line, table_console
    from onnxray.cli.parts.finishing import number_cell

    console, found = table_console(), result.extra["hardening"]
    table = Table("epoch", "loss", "right", "within the budget", "best")
    for item in result.items:
        table.add_row(
            str(item.epoch), number_cell(item.loss), _percent(item.clean_accuracy), _percent(item.robust_accuracy),
            "best" if item.best else "",
        )  # fmt: skip
    console.print(table)
    if found["before"] and found["after"]:
        sides = Table("eps", "robust before", "robust after", title="robustness evaluation of held-out pictures")
        for old, new in zip(found["before"]["curve"], found["after"]["curve"]):
            sides.add_row(f"{old['eps']:g}", _percent(old["robust_accuracy"]), _percent(new["robust_accuracy"]))
        console.print(sides)
    if found["written"]:
        agrees = "verified" if found["verified"]["agrees"] else f"NOT verified: {found['verified']['reason']}"
        console.print(line(("written  ", "bold"), f"{', '.join(found['written'])}, {agrees}"))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
