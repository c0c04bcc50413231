"""onnxray saliency METHOD: maps of what a target depends on; one command a method, options read off its class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.finishing import Ending, number_cell
from onnxray.cli.parts.method_command import method_command, run_method
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.saliency_options import (
    BoxOption,
    EnlargedOption,
    MaskOption,
    ObjectOption,
    OriginalOption,
    ShareOption,
    TargetOption,
)
from onnxray.cli.parts.shared_options import Shared
from onnxray.cli.terminal.shown_names import shown_names
from onnxray.errors import InputError
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.item import MapItem
from onnxray.methods.saliency.objects_of_maps import object_finder, read_references, references_of
from onnxray.methods.saliency.on_originals import on_originals
from onnxray.results.result import Result
from onnxray.results.run_identity import digest


def command_of(method: type[Saliency]) -> Callable[..., None]:
    """The command of one method."""

    @method_command(method)
    def command(
        model: ModelArgument,
        images: ImagesArgument,
        target: TargetOption = None,
        *,
        shared: Shared,
        object: ObjectOption = "none",
        object_share: ShareOption = None,
        reference_box: BoxOption = None,
        reference_mask: MaskOption = None,
        overlay_original: OriginalOption = False,
        enlarge: EnlargedOption = 1,
        **options: Any,
    ) -> None:
        from onnxray.report.saliency_report import sheets

        references = read_references(reference_box, reference_mask)
        if references and object == "none":
            raise InputError("a reference is compared with an object that is found; add --object grabcut or threshold")
        configured = method(**plain_options(options))
        opened = shared.open(model)
        steps: list[Callable[[MapItem], MapItem]] = []
        if object != "none":
            boxes = references_of(references, len(opened.pixels(images))) if references else ()
            steps.append(object_finder(opened, object, boxes, share=object_share, seed=shared.seed))
        if overlay_original:
            steps.append(on_originals(opened))
        if enlarge != 1:
            steps.append(lambda item: replace(item, enlarged=enlarge))
        beside = {
            "object": object, "share": object_share, "boxes": reference_box, "masks": digest(reference_mask),
            "original": overlay_original, "enlarged": enlarge,
        }  # fmt: skip
        run_method(
            configured, opened, images, target, shared=shared, folder=f"saliency-{method.name}", beside=beside,
            each=lambda item: reduce(lambda done, step: step(done), steps, item),
            ending=Ending(sheets=sheets, table=_print),
        )  # fmt: skip

    command.__doc__ = (
        f"{method.summary}\n\nExamples: onnxray saliency {method.name} net.onnx photo.jpg; "
        f"onnxray saliency {method.name} net.onnx photos/ --target goldfish -o maps"
    )
    return command


def _print(result: Result[MapItem]) -> None:
    """One line for each map."""
    from rich.table import Table

    from onnxray.cli.parts.console import table_console
    from onnxray.cli.parts.tables import MOST_ROWS

    extra = list(dict.fromkeys(name for item in result.items for name in item.numbers_))[:3]
    objects = ["object"] if any(item.object_ for item in result.items) else []
    of = ["of"] if any(item.wrt for item in result.items) else []
    table = Table("image", *of, "class", "target", "value", "layer", "peak", *extra, *objects)
    shown = result.items[:MOST_ROWS]
    for item, image in zip(shown, shown_names([item.path for item in shown], "-")):
        table.add_row(
            image, *(item.wrt or "-" for _ in of), item.label or "-",
            item.target, f"{item.target_score:.4g}", item.layer or "-", ",".join(map(str, item.peak)),
            *(number_cell(item.numbers_.get(name)) for name in extra),
            *(_object_text(item.object_ or {}) for _ in objects),
        )  # fmt: skip
    table_console().print(table)


def _object_text(numbers: Mapping[str, Any]) -> str:
    if not numbers.get("box"):
        return str(numbers.get("reason") or "-")
    overlap = f", IoU {numbers['box_iou']:.2f}" if "box_iou" in numbers else ""
    doubt = f" ({numbers['reason']})" if numbers.get("reason") else ""
    return ",".join(map(str, numbers["box"])) + overlap + doubt
