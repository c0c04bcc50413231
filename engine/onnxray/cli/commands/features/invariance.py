"""onnxray features invariance: how much a layer's code moves with each factor."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.feature_options import FoldersArgument, run_features
from onnxray.cli.parts.finishing import Ending, number_cell
from onnxray.cli.parts.method_command import method_command
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.methods.features.invariance import Invariance
from onnxray.methods.features.invariance_item import InvarianceItem
from onnxray.results.result import Result


@method_command(Invariance)
def invariance(model: ModelArgument, images: FoldersArgument, *, shared: Shared, **options: Any) -> None:
    """How much a layer's code moves with rotation, scale, light, blur and the like, and whether it follows them.

    Examples: onnxray features invariance net.onnx photos/ --layer last-conv --layer features;
    onnxray features invariance net.onnx photos/ --factor rotation --factor flip;
    onnxray features invariance net.onnx photos/ --pairs pairs.csv
    """
    from onnxray.report.features.invariance_report import pictures

    run_features(
        Invariance(**plain_options(options)), shared.open(model), images, shared=shared,
        ending=Ending(sheets=pictures, table=_print),
    )  # fmt: skip


def _print(result: Result[InvarianceItem]) -> None:
    from rich.table import Table

    from onnxray.cli.parts.console import table_console

    heads = ("layer", "factor", "moved at most", "of factor", "of picture", "of both", "linear map R2", "no map R2")
    table = Table(*heads)
    for item in result.items:
        moved, shares, mapped = item.moved, item.shares, item.equivariance
        table.add_row(
            item.layer, item.factor, number_cell(max(moved) if moved else None),
            *("-" if shares is None else f"{shares[name]:.1%}" for name in ("factor", "picture", "interaction")),
            number_cell(None if mapped is None else mapped["r2"]),
            number_cell(None if mapped is None else mapped["unchanged_r2"]),
        )  # fmt: skip
    table_console().print(table)
