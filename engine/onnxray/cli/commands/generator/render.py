"""onnxray generator render: the pictures of a generator."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.cli.parts.tables import print_generated
from onnxray.training.generators.rendering import RenderGenerator


@method_command(RenderGenerator)
def render(model: ModelArgument, *, shared: Shared, **options: Any) -> None:
    """Show the pictures of a generator, and what the model says of each.

    Example: onnxray generator render lenet --generator shown/generator.onnx --numbers 3,8 --samples 8
    """
    from onnxray.report.training.generator_report import sheets

    run_method(
        RenderGenerator(**plain_options(options)), shared.open(model), None, shared=shared, folder="generator-render",
        ending=Ending(sheets=sheets, table=print_generated),
    )  # fmt: skip
