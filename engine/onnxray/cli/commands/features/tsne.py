"""onnxray features tsne: maps of pictures in layers' spaces, with what tells whether they can be believed."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.feature_options import FoldersArgument, TrueLabelsOption, run_features
from onnxray.cli.parts.finishing import Ending, number_cell
from onnxray.cli.parts.method_command import method_command
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.methods.features.tsne import TSNE
from onnxray.methods.features.tsne_item import TsneItem
from onnxray.results.result import Result


@method_command(TSNE)
def tsne(
    model: ModelArgument, images: FoldersArgument, true_labels: TrueLabelsOption = None, *, shared: Shared,
    **options: Any,
) -> None:  # fmt: skip
    """Maps of pictures in layers' spaces (t-SNE), with what tells whether a map can be believed.

    map.html, in the run folder, is to be looked into: zoom, lasso, neighbours in the original space.

    Examples: onnxray features tsne net.onnx classes/ --labels folders --layer features;
    onnxray features tsne net.onnx photos/ --layer conv4 --layer features --pool mean;
    onnxray features tsne net.onnx photos/ --export embedding-atlas --export projector
    """
    from onnxray.report.features.map_exports import exported
    from onnxray.report.features.tsne_report import pictures

    def written(result: Result[TsneItem]) -> dict[str, bytes]:
        return {**pictures(result), **exported(result)}

    run_features(
        TSNE(true_labels=true_labels, **plain_options(options)), shared.open(model), images, shared=shared,
        ending=Ending(sheets=written, table=_print),
    )  # fmt: skip


def _print(result: Result[TsneItem]) -> None:
    from rich.table import Table

    from onnxray.cli.parts.console import table_console
    from onnxray.errors.shown_text import shortened

    heads = (
        "layer",
        "numbers",
        "perplexity",
        "trustworthiness",
        "continuity",
        "right in the layer",
        "right on the map",
    )
    table = Table(*heads)
    for item in result.items:
        right = [None, None] if item.accuracy is None else [item.accuracy["original"], item.accuracy["map"]]
        table.add_row(
            shortened(item.layer, 50), str(item.numbers_each), number_cell(item.perplexity),
            number_cell(item.trustworthiness), number_cell(item.continuity),
            *("-" if share is None else f"{share:.1%}" for share in right),
        )  # fmt: skip
    console = table_console()
    console.print(table)
    if result.folder is not None:
        console.print(f"to look into: {result.folder / 'map.html'}")
