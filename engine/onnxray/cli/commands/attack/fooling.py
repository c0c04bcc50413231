"""onnxray attack fooling-gradient, fooling-evolution: pictures of nothing that the file is sure of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.methods.fooling.base import Fooling
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.results.result import Result

ClassesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        rich_help_panel="Target",
        metavar="CLASS",
        help="The class that a picture shall be taken for, by number or label. Repeatable. Without it: by evolution "
        "all classes, by gradients classes drawn at random.",
    ),
]


def command_of(method: type[Fooling]) -> Callable[..., None]:
    """The command of one method."""

    @method_command(method)
    def command(model: ModelArgument, target: ClassesOption = None, *, shared: Shared, **options: Any) -> None:
        from onnxray.report.fooling_report import sheets

        configured = method(**plain_options(options))
        run_method(
            configured, shared.open(model), None, tuple(target) if target else None, shared=shared,
            folder=f"attack-{method.name}", ending=Ending(sheets=sheets, table=_print),
        )  # fmt: skip

    command.__doc__ = f"{method.summary}\n\nExample: onnxray attack {method.name} net.onnx --target goldfish"
    return command


def _print(result: Result[SynthesisItem]) -> None:
    from rich.table import Table
    from rich.text import Text

    from onnxray.cli.parts.console import table_console
    from onnxray.cli.parts.tables import MOST_ROWS

    evolved = result.extra.get("evolution", ())
    when = "generation" if evolved else "steps"
    table = Table("aimed at", "confidence", "reached", "class now", when)
    for item in result.items[:MOST_ROWS]:
        numbers = item.numbers_
        table.add_row(
            item.target, f"{numbers['confidence']:.4f}", "yes" if numbers["success"] else Text("no", "red"),
            item.label or "-", str(numbers.get("generation", item.steps)),
        )  # fmt: skip
    console = table_console()
    console.print(table)
    if len(result.items) > MOST_ROWS:
        console.print(f"{len(result.items) - MOST_ROWS} more in result.json")
    for run in evolved:
        console.print(
            f"run {run['run']}: {run['generations']} generations, {run['queries']['judge']} passes, median confidence "
            f"{run['median_confidence'][-1]:.4f}"
        )
    reached = sum(bool(item.numbers_["success"]) for item in result.items)
    least = result.provenance.method["options"]["confidence"]
    console.print(f"{reached} of {len(result.items)} reach {least:g}, by ONNX Runtime on the saved 8-bit pictures")
