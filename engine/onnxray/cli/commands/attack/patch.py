"""onnxray attack patch: a patch that is laid on pictures."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument, OneTargetOption
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.methods.attack.physical.patch import Patch
from onnxray.methods.attack.physical.patch_item import PatchItem
from onnxray.results.result import Result


@method_command(Patch)
def patch(
    model: ModelArgument,
    images: ImagesArgument,
    target: OneTargetOption = None,
    *,
    shared: Shared,
    **options: Any,
) -> None:
    """An adversarial patch: a square or a disc that, laid anywhere on a picture, makes the file say something else.

    It is made of the pictures that are given, and tried at fresh places on those held out, by ONNX Runtime on 8-bit
    pictures. print.pdf and print.png are sheets of A4 with cut marks.

    Examples: onnxray attack patch net.onnx photos/ --target toaster --held-out others/;
    onnxray attack patch net.onnx photos/ --shape circle --share 0.05 --transform rotation=-45..45 --print-mm 80
    """
    from onnxray.report.patch_report import sheets

    run_method(
        Patch(**plain_options(options)), shared.open(model), images, target, shared=shared, folder="attack-patch",
        ending=Ending(sheets=sheets, table=_print),
    )  # fmt: skip


def _print(result: Result[PatchItem]) -> None:
    from onnxray.cli.parts.tables import print_rates

    for item in result.items:
        what = f"{item.shape} of {100 * item.share:g} %, towards {item.goal}"
        print_rates(what, "success at fresh places", item.rates, item.classes)
