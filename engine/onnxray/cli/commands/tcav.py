"""onnxray tcav: whether a class goes by a concept that folders of pictures show."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.saliency_options import TargetOption
from onnxray.cli.parts.shared_options import Shared
from onnxray.methods.concepts.item import ConceptItem
from onnxray.methods.concepts.tcav import TCAV
from onnxray.results.result import Result


@method_command(TCAV)
def tcav(
    model: ModelArgument,
    images: ImagesArgument,
    target: TargetOption = None,
    *,
    shared: Shared,
    **options: Any,
) -> None:
    """TCAV (Kim et al. 2018): how many images of a class score higher the more a layer sees of a concept.

    Examples: onnxray tcav net.onnx zebras/ --target zebra --concept striped/ --random others/;
    onnxray tcav net.onnx zebras/ --concept striped/ --concept dotted/ --random a/ --random b/ --layer features
    """
    from onnxray.report.concept_report import pictures

    run_method(
        TCAV(**plain_options(options)), shared.open(model), images, target, shared=shared, folder="tcav",
        ending=Ending(sheets=pictures, table=_print),
    )  # fmt: skip


def _print(result: Result[ConceptItem]) -> None:
    """One line for each concept and layer."""
    from rich.table import Table

    from onnxray.cli.parts.console import table_console

    table = Table("concept", "layer", "target", "score", "random", "p", "accuracy", "")
    for item in result.items:
        said = "significant" if item.significant else "-" if item.reason is None else "WARN, see the notes"
        table.add_row(
            item.concept, item.layer, item.target, f"{item.score:.2f} ± {item.spread:.2f}",
            f"{item.random_score:.2f} ± {item.random_spread:.2f}",
            "-" if item.p_value is None else f"{item.p_value:.2g}", f"{item.accuracy:.2f}", said,
        )  # fmt: skip
    table_console().print(table)
