"""onnxray generator inverter: a network that gives pictures back from a layer's codes."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.results.result import Result
from onnxray.training.generators.inversion import TrainInverter
from onnxray.training.generators.inverted_item import InvertedItem


@method_command(TrainInverter)
def inverter(model: ModelArgument, images: ImagesArgument, *, shared: Shared, **options: Any) -> None:
    """Train a network that gives pictures back from a layer's codes (Dosovitskiy, Brox 2016).

    inverter.onnx in the run's folder is what onnxray invert --learned takes.

    Example: onnxray generator inverter net.onnx photos/ --layer features -o inverter
    """
    from onnxray.report.training.generator_report import inverted_sheets

    run_method(
        TrainInverter(**plain_options(options)), shared.open(model), images, shared=shared, folder="inverter-train",
        ending=Ending(sheets=inverted_sheets, table=_print),
    )  # fmt: skip


def _print(result: Result[InvertedItem]) -> None:
    from onnxray.cli.parts.console import line, table_console

    found = result.extra
    table_console().print(line(
        ("normalised image error  ", "bold"),
        f"{found['normalised_image_error']:.3f} on held-out pictures; {found['of_the_mean_picture']:.3f} of the mean "
        "picture in their place",
    ))  # fmt: skip
