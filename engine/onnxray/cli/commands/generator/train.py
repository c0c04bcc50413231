"""onnxray generator train: a generator that shows what every class or channel looks for."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.cli.parts.tables import print_generated
from onnxray.training.generators.training import TrainGenerator


@method_command(TrainGenerator)
def train(model: ModelArgument, *, shared: Shared, **options: Any) -> None:
    """Train a generator whose pictures a model takes for each of its classes, or that excite a layer's channels.

    No pictures are needed. generator.onnx in the run's folder is an ONNX file as any other; --resume goes on.

    Examples: onnxray generator train lenet -o shown;  onnxray generator train net.onnx --classes 0-19 --steps 300;
    onnxray generator train net.onnx --channels conv2:0-15;
    onnxray generator train net.onnx --classes 1,9 --augment similarity --variation 1
    """
    from onnxray.report.training.generator_report import trained_pictures

    run_method(
        TrainGenerator(**plain_options(options)), shared.open(model), None, shared=shared, folder="generator-train",
        ending=Ending(sheets=trained_pictures, table=print_generated),
    )  # fmt: skip
