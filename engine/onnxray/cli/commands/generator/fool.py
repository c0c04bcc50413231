"""onnxray generator fool: a generator's pictures added to others."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.results.result import Result
from onnxray.training.generators.fooling import FoolingItem, FoolWithGenerator


@method_command(FoolWithGenerator)
def fool(model: ModelArgument, images: ImagesArgument, *, shared: Shared, **options: Any) -> None:
    """Add a generator's pictures to others, and count how many the model then takes for something else.

    Example: onnxray generator fool lenet digits/ --generator shown/generator.onnx --coefficients 1-35
    """
    from onnxray.report.training.generator_report import fooling_pictures

    run_method(
        FoolWithGenerator(**plain_options(options)), shared.open(model), images, shared=shared,
        folder="generator-fool", ending=Ending(sheets=fooling_pictures, table=_print),
    )  # fmt: skip


def _print(result: Result[FoolingItem]) -> None:
    from rich.table import Table

    from onnxray.cli.parts.console import table_console

    found = result.extra["fooling"]
    title = f"fooling rate, {found['perturbations']} perturbations"
    columns = {
        "generator": "generator", "targeted": "to the class shown", "random": "random signs",
        "random_of_the_same_l2": "of the same L2", "universal": "universal",
    }  # fmt: skip
    table = Table("e", *columns.values(), title=title)
    for row in found["curve"]:
        shares = (row[name] for name in columns)
        table.add_row(str(row["coefficient"]), *("-" if one is None else f"{100 * one:.1f} %" for one in shares))
    table_console().print(table)
