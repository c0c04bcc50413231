"""onnxray attack evaluate: robust accuracy of a model on labelled pictures, by several attacks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from onnxray.assess.robustness.item import RobustnessItem
from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.results.result import Result


@method_command(RobustnessEvaluation)
def evaluate(
    model: ModelArgument,
    images: ImagesArgument,
    true_labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="FILE.csv|folders",
            rich_help_panel="Target",
            help="The true classes: a CSV of file,label, or folders: each picture lies in a folder named by its class. "
            "Default: the model's own answers count as right.",
        ),
    ] = None,
    *,
    shared: Shared,
    **options: Any,
) -> None:
    """Robust accuracy on a folder of pictures: each image's smallest perturbation over several attacks.

    Success is what ONNX Runtime says of the saved 8-bit picture. Pictures that are named wrongly as they come are
    counted apart.

    Examples: onnxray attack evaluate net.onnx photos/ --labels labels.csv --eps 1,2,4,8;
    onnxray attack evaluate net.onnx classes/ --labels folders --norm l2 --eps 64,128,255;
    onnxray attack evaluate net.onnx photos/ -o DIR --resume
    """
    from onnxray.images.true_labels import FOLDERS, pictures_in_folders
    from onnxray.images.true_labels import true_labels as labels_of
    from onnxray.report.robustness_report import pictures

    evaluation = RobustnessEvaluation(**plain_options(options))
    opened = shared.open(model)
    pixels = opened.pixels(pictures_in_folders(images) if true_labels == FOLDERS else images)
    goal = None if true_labels is None else labels_of(pixels.names, true_labels)
    run_method(
        evaluation, opened, pixels, goal, shared=shared, folder="attack-evaluate",
        ending=Ending(sheets=pictures, table=_print),
    )  # fmt: skip


def _print(result: Result[RobustnessItem]) -> None:
    from rich.table import Table
    from rich.text import Text

    from onnxray.cli.parts.console import table_console
    from onnxray.cli.parts.finishing import number_cell
    from onnxray.methods.attack.threat import unit_of

    found = result.extra["robustness"]
    unit = unit_of(found["norm"])
    console = table_console()
    names = list(found["attacks"])
    columns = [f"after {name}" for name in names]
    curve = Table("eps", "robust accuracy", "95 %", *columns, title=f"robust accuracy ({found['norm']}, {unit})")
    for row in found["curve"]:
        low, high = row["interval"]
        curve.add_row(
            f"{row['eps']:g}", _percent(row["robust_accuracy"]), f"{_percent(low)} to {_percent(high)}",
            *(_percent(row["after"][name]) for name in names),
        )  # fmt: skip
    console.print(curve)
    attacks = Table("attack", "flipped", "median norm", "optimality", "best of", "passes", "seconds")
    for name, own in found["attacks"].items():
        attacks.add_row(
            name, _percent(own["flipped"]), number_cell(own["median"]), number_cell(own["optimality"]),
            f"{own['best_of']} of {own['tried']}", f"{sum(own['queries'].values()):.0f}", f"{own['seconds']:.1f}",
        )  # fmt: skip
    console.print(attacks)
    if found["trust"]:
        trust = Table("can the figure be believed?", "number", "verdict", "what it is of")
        for test in found["trust"]:
            colour = {"WARN": "red", "PASS": "green"}.get(test["verdict"], "")
            said = test["of"] if test["reason"] is None else f"{test['of']}: {test['reason']}"
            trust.add_row(test["name"], number_cell(test["number"]), Text(test["verdict"], colour), said)
        console.print(trust)
    if found["transfer"]:
        judges = list(dict.fromkeys(cell["judged_by"] for cell in found["transfer"]))
        table = Table("eps", "made on", *(f"flips {name}" for name in judges), title="transfer: made on one, judged by")
        for start in range(0, len(found["transfer"]), len(judges)):
            cells = found["transfer"][start : start + len(judges)]
            table.add_row(
                f"{cells[0]['eps']:g}", cells[0]["made_on"],
                *(f"{_percent(cell['flipped'])} of {cell['images']}" for cell in cells),
            )  # fmt: skip
        console.print(table)
    median = found["smallest_norm"]["median"]
    said = "more than half are not flipped" if median is None else f"median smallest norm {median:.4g} {unit}"
    wrong = (
        f"; {found['misclassified']} of {found['images']} named wrongly as they came" if found["misclassified"] else ""
    )
    console.print(f"{said}, on saved 8-bit pictures, by ONNX Runtime{wrong}")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
