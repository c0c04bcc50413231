"""onnxray features neighbors: the nearest pictures in a layer's space, beside those in pixel space."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.feature_options import FoldersArgument, TrueLabelsOption, run_features
from onnxray.cli.parts.finishing import Ending, number_cell
from onnxray.cli.parts.method_command import method_command
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.methods.features.neighbors import Neighbors
from onnxray.methods.features.neighbors_item import NeighborsItem
from onnxray.results.result import Result


@method_command(Neighbors)
def neighbors(
    model: ModelArgument, images: FoldersArgument, true_labels: TrueLabelsOption = None, *, shared: Shared,
    **options: Any,
) -> None:  # fmt: skip
    """Nearest neighbours of pictures in a layer's space, beside those in pixel space.

    Examples: onnxray features neighbors net.onnx photos/ --layer features;
    onnxray features neighbors net.onnx classes/ --labels folders --metric cosine;
    onnxray features neighbors net.onnx test/ --among train/
    """
    from onnxray.report.features.neighbors_report import sheets

    run_features(
        Neighbors(true_labels=true_labels, **plain_options(options)), shared.open(model), images, shared=shared,
        ending=Ending(sheets=sheets, table=_print),
    )  # fmt: skip


def _print(result: Result[NeighborsItem]) -> None:
    from rich.table import Table

    from onnxray.cli.parts.console import table_console
    from onnxray.cli.parts.tables import MOST_ROWS
    from onnxray.cli.terminal.shown_names import shown_names

    console = table_console()
    table = Table("picture", "layer", "nearest", "distance", "nearest in pixels", "distance", "duplicate of")
    shown = result.items[:MOST_ROWS]
    names = shown_names([item.path for item in shown], "-")
    for item, name in zip(shown, names):
        cells = []
        for listed in (item.neighbors, item.pixel_neighbors):
            first = listed[0] if listed else {"path": None, "distance": None}
            cells += [shown_names([first["path"]], "-")[0], number_cell(first["distance"])]
        table.add_row(name, item.layer, *cells, ", ".join(shown_names(list(item.duplicate_of), "-")))
    console.print(table)
    if len(result.items) > MOST_ROWS:
        console.print(f"{len(result.items) - MOST_ROWS} more in result.json")
    for space in result.extra["spaces"]:
        if space["share_of_label"] is not None:
            console.print(
                f"{space['space']}: {space['share_of_label']:.1%} of the neighbours share the query's label, the "
                f"majority is right for {space['majority_right']:.1%} of {space['queries']} queries"
            )
