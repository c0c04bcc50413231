"""onnxray saliency check METHOD: can a method's maps be believed; one command a method, beside the check's options."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from onnxray.assess.maps.check import Check
from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.saliency_options import BoxOption, MaskOption, TargetOption
from onnxray.cli.parts.shared_options import Shared
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.objects_of_maps import read_references
from onnxray.results.run_identity import digest


def command_of(method: type[Saliency]) -> Callable[..., None]:
    """The check of one method; the method's options stand beside the check's own."""
    own = {field.name for field in dataclasses.fields(method)}

    @method_command(Check, method)
    def command(
        model: ModelArgument,
        images: ImagesArgument,
        target: TargetOption = None,
        reference_box: BoxOption = None,
        reference_mask: MaskOption = None,
        *,
        shared: Shared,
        **options: Any,
    ) -> None:
        from onnxray.cli.parts.tables import print_figures
        from onnxray.report.map_check_report import check_pictures

        values = plain_options(options)
        check = Check(
            method=method(**{name: value for name, value in values.items() if name in own}),
            references=read_references(reference_box, reference_mask),
            **{name: value for name, value in values.items() if name not in own},
        )
        run_method(
            check, shared.open(model), images, target, shared=shared, folder=f"saliency-check-{method.name}",
            beside={"boxes": reference_box, "masks": digest(reference_mask)},
            ending=Ending(sheets=check_pictures, table=print_figures),
        )  # fmt: skip

    command.__doc__ = (
        f"Whether the maps of {method.name} can be believed.\n\n"
        f"Example: onnxray saliency check {method.name} net.onnx photos/"
    )
    return command
