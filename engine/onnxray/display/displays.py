"""Which file shows which kind of value: a value is looked up by its class, and by those that this is made from.

Named and not imported, so that what is shown pays for itself alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from PIL import Image

from onnxray.display.parts import heading, warning, whole
from onnxray.errors import OnnxrayError

_HTML: Final = {
    "onnxray.results.result.Result": "results.result",
    "onnxray.results.item.Item": "results.item",
    "onnxray.results.provenance.Provenance": "results.provenance",
    "onnxray.graph.classifier.predictions.Predictions": "answers.predictions",
    "onnxray.model.answers.answer.NoClasses": "answers.answer",
    "onnxray.model.model.Model": "models.model",
    "onnxray.graph.facts.Graph": "models.graph",
    "onnxray.images.profile.profile.Profile": "models.profile",
    "onnxray.engines.agreement.verification.Verification": "models.verification",
    "onnxray.engines.chunks.Batch": "models.batch",
}
_PNG: Final = {
    "onnxray.results.result.Result": "results.result_png",
    "onnxray.results.item.Item": "results.item_png",
}


def html(value: object) -> str:
    """What a notebook shows of a value; a value that cannot be shown says why."""
    show = _looked_up(_HTML, value)
    try:
        shown: str = whole(heading(repr(value))) if show is None else show(value)
    except OnnxrayError as error:
        return whole(heading(repr(value)), warning(str(error)))
    return shown


def png(value: object) -> bytes | None:
    """The picture that a value is; None where it is none."""
    show = _looked_up(_PNG, value)
    try:
        shown: bytes | None = None if show is None else show(value)
    except OnnxrayError:
        return None
    return shown


def sheet(result: Any, page: int) -> Image.Image:
    """A page of a result's contact sheet. Errors: InputError."""
    from onnxray.display.sheets import sheet as draw

    return draw(result, page)


def beside(result: Any) -> Mapping[str, bytes]:
    """File name -> bytes of the pictures that stand beside a result's items. Errors: OutputError."""
    from onnxray.display.sheets import drawn

    return drawn(result)


def page(document: Mapping[str, Any], folder: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The page of a run, by its name. folder: where the files of its items lie; files: what stands beside them."""
    from onnxray.report.page.run_page import run_page
    from onnxray.results.saved_files import PAGE

    return {PAGE: run_page(document, folder, files)}


def _looked_up(known: dict[str, str], value: object) -> Callable[[Any], Any] | None:
    for kind in type(value).__mro__:
        place = known.get(f"{kind.__module__}.{kind.__qualname__}")
        if place is not None:
            module, _, name = place.partition(".")
            show: Callable[[Any], Any] = getattr(importlib.import_module(f"onnxray.display.{module}"), name)
            return show
    return None
