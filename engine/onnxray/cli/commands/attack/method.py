"""onnxray attack METHOD: images that the file says something else of; one command a method, options read off it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.finishing import Ending, number_cell
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.errors import InputError
from onnxray.methods.attack.base import Attack
from onnxray.methods.attack.item import AttackItem
from onnxray.results.result import Result

TargetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        rich_help_panel="Target",
        metavar="CLASS|COMPARISON",
        help="The class to reach (number or label), or a comparison that shall hold: 'boxes[0].score < 0.3', "
        "'output > 3', 'cosine < 0.3' (of an embedding with what it was), 'like:other.jpg > 0.3'. Repeatable: one for "
        "each image. Without it the class is left.",
    ),
]
UntargetedOption = Annotated[
    bool, typer.Option("--untargeted", rich_help_panel="Target", help="Leave the class, whichever comes: the default.")
]


def command_of(method: type[Attack]) -> Callable[..., None]:
    """The command of one attack."""

    @method_command(method)
    def command(
        model: ModelArgument,
        images: ImagesArgument,
        target: TargetOption = None,
        untargeted: UntargetedOption = False,
        *,
        shared: Shared,
        **options: Any,
    ) -> None:
        if target and untargeted:
            raise InputError(f"--target {target[0]} and --untargeted were given; give one of them")
        from onnxray.report.attack_report import sheets

        configured = method(**plain_options(options))
        goal = None if not target else target[0] if len(target) == 1 else tuple(target)
        run_method(
            configured, shared.open(model), images, goal, shared=shared, folder=f"attack-{method.name}",
            ending=Ending(sheets=sheets, table=_print),
        )  # fmt: skip

    command.__doc__ = f"{method.summary}\n\nExample: onnxray attack {method.name} net.onnx photo.jpg"
    return command


def _print(result: Result[AttackItem]) -> None:
    from rich.table import Table
    from rich.text import Text

    from onnxray.cli.parts.console import table_console
    from onnxray.cli.parts.tables import MOST_ROWS
    from onnxray.cli.terminal.shown_names import shown_names
    from onnxray.methods.attack.rates import rate_text

    norm = result.items[0].norm if result.items else "linf"
    columns = list(dict.fromkeys((norm, "linf", "l2")))
    shown = result.items[:MOST_ROWS]
    drawn = ["over fresh draws", "unchanged"] if any("rate" in item.numbers_ for item in shown) else []
    table = Table("image", "class", "goal", "reached", "class now", "probability", *drawn, *columns, "PASS", "passes")
    for item, image in zip(shown, shown_names([item.origin.path for item in shown], "-")):
        table.add_row(
            image, item.origin.label or "-", item.goal, "yes" if item.success else Text("no", "red"),
            item.judged.label or "-", number_cell(item.judged.probability),
            *(rate_text(item.numbers_[name]) for name in ("rate", "rate_before") if drawn),
            *(number_cell(item.norms[name]) for name in columns),
            "-" if item.similarity is None else f"{item.similarity.score:.4f}", str(sum(item.queries.values())),
        )  # fmt: skip
    console = table_console()
    console.print(table)
    if len(result.items) > MOST_ROWS:
        console.print(f"{len(result.items) - MOST_ROWS} more in result.json")
    reached = sum(item.success for item in result.items)
    arrays = any(item.moved for item in shown)
    what = "arrays; norms in 255ths of each sample's range" if arrays else "8-bit pictures"
    if "fooling_rate" in result.extra:
        console.print(f"fooling rate {rate_text(result.extra['fooling_rate'])}")
    console.print(f"{reached} of {len(result.items)} reached, by ONNX Runtime on the saved {what}")
