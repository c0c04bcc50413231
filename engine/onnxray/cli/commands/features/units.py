"""onnxray features units: how active and how selective the channels of a layer are."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.feature_options import FoldersArgument, TrueLabelsOption, run_features
from onnxray.cli.parts.finishing import Ending, number_cell
from onnxray.cli.parts.method_command import method_command
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.methods.features.units import Units
from onnxray.methods.features.units_item import UnitsItem
from onnxray.results.result import Result

_SHOWN = 20


@method_command(Units)
def units(
    model: ModelArgument, images: FoldersArgument, true_labels: TrueLabelsOption = None, *, shared: Shared,
    **options: Any,
) -> None:  # fmt: skip
    """How active each channel of a layer is over many pictures, how selective, and which of them are alike.

    Examples: onnxray features units net.onnx photos/ --layer last-conv;
    onnxray features units net.onnx classes/ --labels folders --layer conv3 --layer conv4
    """
    from onnxray.report.features.units_report import pictures

    run_features(
        Units(true_labels=true_labels, **plain_options(options)), shared.open(model), images, shared=shared,
        ending=Ending(sheets=pictures, table=_print),
    )  # fmt: skip


def _print(result: Result[UnitsItem]) -> None:
    from rich.table import Table

    from onnxray.cli.parts.console import table_console

    console = table_console()
    for item in result.items:
        title = f"{item.layer}: {len(item.channels)} channels, {item.dead} dead, {item.constant} others constant"
        table = Table("channel", "mean", "largest", "zeros", "selectivity", "class", "most like", title=title)
        for one in sorted(item.channels, key=lambda one: -(one["selectivity"] or 0))[:_SHOWN]:
            like = "-" if one["correlation"] is None else f"{one['correlated_with']} ({one['correlation']:.2f})"
            table.add_row(
                str(one["channel"]), number_cell(one["mean"]), number_cell(one["largest"]), f"{one['zeros']:.1%}",
                number_cell(one["selectivity"]), str(one["class"] or "-"), like,
            )  # fmt: skip
        console.print(table)
        if len(item.channels) > _SHOWN:
            console.print(f"{len(item.channels) - _SHOWN} more in result.json")
