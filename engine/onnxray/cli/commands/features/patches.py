"""onnxray features patches: the parts of pictures that activate the channels of a layer most."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.feature_options import FoldersArgument, run_features
from onnxray.cli.parts.finishing import Ending, number_cell
from onnxray.cli.parts.method_command import method_command
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.methods.features.patches import Patches
from onnxray.methods.features.patches_item import PatchesItem
from onnxray.results.result import Result


@method_command(Patches)
def patches(model: ModelArgument, images: FoldersArgument, *, shared: Shared, **options: Any) -> None:
    """What channels look for: the parts of pictures that activate them most, and what of them counts.

    Examples: onnxray features patches net.onnx photos/ --layer last-conv;
    onnxray features patches net.onnx photos/ --layer conv5_3 --channels 0-31 --picture guided
    """
    from onnxray.report.features.patches_report import sheets

    run_features(
        Patches(**plain_options(options)), shared.open(model), images, shared=shared,
        ending=Ending(sheets=sheets, table=_print),
    )  # fmt: skip


def _print(result: Result[PatchesItem]) -> None:
    from rich.table import Table

    from onnxray.cli.parts.console import table_console
    from onnxray.cli.parts.tables import MOST_ROWS
    from onnxray.cli.terminal.shown_names import shown_names

    table = Table("layer", "channel", "sees", "step", "effective", "largest", "mean", "strongest picture")
    for item in result.items[:MOST_ROWS]:
        field = item.receptive_field
        sees = "all" if field["size"] is None else " x ".join(map(str, field["size"]))
        step = "-" if field["step"] is None else " x ".join(f"{n:g}" for n in field["step"])
        name = shown_names([item.patches[0]["path"]], "-")[0] if item.patches else "-"
        table.add_row(
            item.layer, str(item.channel), sees, step, number_cell(field["effective"]), number_cell(item.largest),
            number_cell(item.mean), name,
        )  # fmt: skip
    table_console().print(table)
