"""onnxray saliency compare: the maps of several methods side by side, and which tells most."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from onnxray.assess.maps.comparison import Comparison
from onnxray.assess.maps.item import CheckedItem
from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.finishing import Ending
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.saliency_options import BoxOption, MaskOption, TargetOption
from onnxray.cli.parts.shared_options import Shared
from onnxray.methods.catalogue import family
from onnxray.methods.options_from_text import configured
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.objects_of_maps import read_references
from onnxray.results.result import Result
from onnxray.results.run_identity import digest


@method_command(Comparison)
def compare(
    model: ModelArgument,
    images: ImagesArgument,
    methods: Annotated[
        str | None, typer.Option("--methods", metavar="A,B,...", help="The methods, by name. Default: all there are.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METHOD.OPTION=VALUE", help="An option of a method; repeatable."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="The maps alone: insertion and deletion, which take most of the time, are left out."
        ),
    ] = False,
    target: TargetOption = None,
    reference_box: BoxOption = None,
    reference_mask: MaskOption = None,
    *,
    shared: Shared,
    **options: Any,
) -> None:
    """All maps of several methods over the images on one sheet, with insertion and deletion areas, pointing, seconds.

    A method that the network cannot have is shown with its reason.

    Examples: onnxray saliency compare net.onnx photo.jpg; onnxray saliency compare net.onnx photos/ --quick
    --methods gradient,grad-cam,rise --set rise.masks=2000
    """
    from onnxray.cli.parts.tables import print_figures
    from onnxray.report.map_check_report import comparison_pictures

    known = family(Saliency)  # type: ignore[type-abstract]
    chosen = configured(known, list(known) if methods is None else methods.split(","), settings or ())
    references = read_references(reference_box, reference_mask)
    if quick:
        options["curve_steps"] = 0
    comparison = Comparison(methods=chosen, references=references, **plain_options(options))
    run_method(
        comparison, shared.open(model), images, target, shared=shared, folder="saliency-compare",
        beside={"boxes": reference_box, "masks": digest(reference_mask)},
        ending=Ending(sheets=comparison_pictures, table=print_figures, lines=_refusals),
        whole=len(chosen), hint="" if comparison.curve_steps == 0 else "--quick leaves insertion and deletion out",
    )  # fmt: skip


def _refusals(result: Result[CheckedItem]) -> list[str]:
    return [f"{one['method']} on {one['path'] or 'image'}: {one['reason']}" for one in result.extra["refused"]]
