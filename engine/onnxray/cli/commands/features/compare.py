"""onnxray features compare: how alike the layers of two models arrange the same pictures."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from onnxray.assess.models.similarity import LayerSimilarity
from onnxray.assess.models.similarity_item import SimilarityItem
from onnxray.cli.parts.feature_options import FoldersArgument, run_features
from onnxray.cli.parts.finishing import Ending, number_cell
from onnxray.cli.parts.method_command import method_command
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.results.result import Result


@method_command(LayerSimilarity)
def compare(
    model: Annotated[str, typer.Argument(metavar="A.onnx", help="The model that the other stands beside.")],
    other: Annotated[str, typer.Argument(metavar="B.onnx", help="The other model.")],
    images: FoldersArgument,
    other_profile: Annotated[
        str | None,
        typer.Option(
            "--other-profile",
            metavar="NAME|FILE.toml",
            rich_help_panel="Model",
            help="The profile of B. Left out, --profile is that of both; without that each model's own is found.",
        ),
    ] = None,
    *,
    shared: Shared,
    **options: Any,
) -> None:
    """How alike the layers of two models arrange the same pictures (CKA), and the layer where the models part.

    Examples: onnxray features compare net.onnx net-int8.onnx photos/;
    onnxray features compare a.onnx b.onnx photos/ --pool mean --layer 'conv*'
    """
    from onnxray.report.features.similarity_report import pictures

    opened = shared.open(model)
    method = LayerSimilarity(other=shared.other(other, other_profile), **plain_options(options))
    run_features(method, opened, images, shared=shared, ending=Ending(sheets=pictures, table=_print))


def _print(result: Result[SimilarityItem]) -> None:
    from rich.table import Table

    from onnxray.cli.parts.console import table_console
    from onnxray.cli.parts.tables import MOST_ROWS
    from onnxray.errors.shown_text import shortened, terminal

    console = table_console()
    table = Table("layer", "of the other", "matched by", "CKA", "mutual neighbours", "Procrustes")
    for item in result.items[:MOST_ROWS]:
        table.add_row(
            shortened(item.layer, 50), shortened(item.other_layer, 50), item.matched_by, number_cell(item.cka),
            "-" if item.mutual_neighbors is None else f"{item.mutual_neighbors:.1%}", number_cell(item.procrustes),
        )  # fmt: skip
    console.print(table)
    if len(result.items) > MOST_ROWS:
        console.print(f"{len(result.items) - MOST_ROWS} more in result.json")
    agreed = result.extra["agreement"]
    if agreed is not None:
        console.print(f"both say the same class of {agreed['same_class']} of {agreed['pictures']} pictures")
    maps = result.extra["saliency"]
    if maps is not None and maps["rank_correlation"] is not None:
        found = maps["rank_correlation"]
        console.print(
            f"rank correlation of the {maps['method']} maps of {found['count']} pictures: {found['mean']:.3f}"
        )
    elif maps is not None:
        console.print(f"no maps are compared: {terminal(str(maps['reason']), 200)}")
    if all(item.matched_by != "cka" for item in result.items):
        part = result.extra["parts_at"]
        console.print("they do not part" if part is None else f"they part at {part}")
