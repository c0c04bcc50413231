"""onnxray attack universal: one perturbation for all pictures."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument, OneTargetOption
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.methods.attack.universal.item import UniversalItem
from onnxray.methods.attack.universal.universal import Universal
from onnxray.results.result import Result


@method_command(Universal)
def universal(
    model: ModelArgument,
    images: ImagesArgument,
    target: OneTargetOption = None,
    *,
    shared: Shared,
    **options: Any,
) -> None:
    """A universal perturbation: one that, added to any picture, makes the file say something else.

    It is made of the pictures that are given, and tried on those held out, by ONNX Runtime on saved 8-bit pictures.
    universal.npy holds it in grey levels; it is added to others by: onnxray attack apply net.onnx new/ --perturbation
    DIR/universal.npy

    Examples: onnxray attack universal net.onnx photos/ --held-out others/ -o DIR;
    onnxray attack universal net.onnx photos/ --held-out 0.2 --by gradient
    """
    from onnxray.report.universal_report import sheets

    run_method(
        Universal(**plain_options(options)), shared.open(model), images, target, shared=shared,
        folder="attack-universal", ending=Ending(sheets=sheets, table=_print),
    )  # fmt: skip


def _print(result: Result[UniversalItem]) -> None:
    from onnxray.cli.parts.tables import print_rates

    for item in result.items:
        print_rates(f"{item.norm} {item.eps:g}, towards {item.goal}", "fooling rate", item.rates, item.classes)
