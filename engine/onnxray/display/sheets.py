"""The contact sheet of any result: drawn by what draws it into the run folder (``report/``)."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, Final

from PIL import Image

from onnxray.assess.maps.item import CheckedItem
from onnxray.assess.models.item import ModelsItem
from onnxray.assess.models.similarity_item import SimilarityItem
from onnxray.assess.robustness.item import RobustnessItem
from onnxray.errors import InputError, OutputError
from onnxray.errors.short_values import short
from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.methods.attack.item import AttackItem
from onnxray.methods.attack.physical.patch_item import PatchItem
from onnxray.methods.attack.universal.item import UniversalItem
from onnxray.methods.concepts.item import ConceptItem
from onnxray.methods.features.invariance_item import InvarianceItem
from onnxray.methods.features.neighbors_item import NeighborsItem
from onnxray.methods.features.patches_item import PatchesItem
from onnxray.methods.features.probe_item import ProbeItem
from onnxray.methods.features.tsne_item import TsneItem
from onnxray.methods.features.units_item import UnitsItem
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.saliency.item import MapItem
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.report import (
    attack_report,
    concept_report,
    fooling_report,
    inversion_report,
    lots_report,
    map_check_report,
    models_report,
    patch_report,
    robustness_report,
    saliency_report,
    synthesis_report,
    universal_report,
)
from onnxray.report.features import (
    invariance_report,
    neighbors_report,
    patches_report,
    probe_report,
    similarity_report,
    tsne_report,
    units_report,
)
from onnxray.report.pages import drawn_pages
from onnxray.report.training import generator_report, hardening_report
from onnxray.results.item import Item
from onnxray.results.result import Result
from onnxray.training.generators.fooling import FoolingItem
from onnxray.training.generators.inverted_item import InvertedItem
from onnxray.training.generators.item import GeneratedItem
from onnxray.training.item import EpochItem

_MOST_CELLS = 256
_SHOWN = 40
"""Items that a notebook is shown; of a longer run ``sheet`` draws all."""
_WIDEST, _TALLEST = 1600, 2400


def sheet(result: Result[Any], page: int = 1) -> Image.Image:
    """A page of a result's contact sheet; of a result without one, the plot that it has in its place.

    Errors: InputError where there is no such page, or nothing to draw; OutputError.
    """
    if isinstance(page, bool) or not isinstance(page, int) or page < 1:
        raise InputError(f"page is {short(page)}; a whole number from 1 was expected")
    plots = {name: data for name, data in drawn(result).items() if name.endswith(".png")}
    pages = [data for name, data in plots.items() if name.startswith("sheet")] or list(plots.values())[:1]
    if not pages:
        raise InputError(
            "nothing of this result can be drawn on a sheet; its numbers: result.to_pandas(), to_csv(path)"
        )
    if page > len(pages):
        raise InputError(f"there is no page {short(page)}; the sheet has {len(pages)}")
    return Image.open(io.BytesIO(pages[page - 1]))


_SHEETS: Final[Mapping[type[Item], Callable[[Result[Any]], Mapping[str, bytes]]]] = {
    LotsItem: lots_report.sheets,
    MapItem: saliency_report.sheets,
    SynthesisItem: synthesis_report.sheets,
    CheckedItem: map_check_report.check_pictures,
    AttackItem: attack_report.sheets,
    RobustnessItem: robustness_report.pictures,
    ModelsItem: models_report.pictures,
    ConceptItem: concept_report.pictures,
    InvarianceItem: invariance_report.pictures,
    NeighborsItem: neighbors_report.sheets,
    PatchesItem: patches_report.sheets,
    ProbeItem: probe_report.pictures,
    TsneItem: tsne_report.pictures,
    UnitsItem: units_report.pictures,
    SimilarityItem: similarity_report.pictures,
    UniversalItem: universal_report.sheets,
    PatchItem: patch_report.sheets,
    EpochItem: hardening_report.pictures,
    GeneratedItem: generator_report.sheets,
    FoolingItem: generator_report.fooling_pictures,
    InvertedItem: generator_report.inverted_sheets,
}
_OF_A_METHOD: Final[Mapping[str, Callable[[Result[Any]], Mapping[str, bytes]]]] = {
    "compare": map_check_report.comparison_pictures,
    "generator-train": generator_report.trained_pictures,
    "invert": inversion_report.sheets,
    "fooling-gradient": fooling_report.sheets,
    "fooling-evolution": fooling_report.sheets,
}
"""Methods whose sheet is another than that of their kind of item."""


def drawn(result: Result[Any]) -> Mapping[str, bytes]:
    """File name -> bytes of the pictures that stand beside a result's items in its run folder.

    Errors: OutputError where the folder that it was loaded from says what no run has written.
    """
    kind, name = type(result.items[0]) if result.items else None, result.provenance.method["name"]
    draw = None if kind is None else next((_SHEETS[one] for one in kind.__mro__ if one in _SHEETS), None)
    if draw is not None and name in _OF_A_METHOD:
        draw = _OF_A_METHOD[name]
    try:
        return (draw or _plain_sheets)(result)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if result.folder is None:
            raise
        raise OutputError(
            f"{result.folder}: its sheet cannot be drawn by what stands there ({type(error).__name__}: {error})"
        ) from None


def top_of_sheet(result: Result[Any]) -> tuple[bytes, bool] | None:
    """What a notebook is shown of the sheet as PNG bytes, no larger than a page reads well, and whether that is all.

    None where there is nothing to draw.
    """
    shown = result[:_SHOWN] if len(result) > _SHOWN else result
    try:
        page = sheet(shown)
    except InputError:
        return None
    cut = page.height > _TALLEST
    small = page.crop((0, 0, page.width, _TALLEST)) if cut else page
    if small.width > _WIDEST:
        small = small.resize((_WIDEST, round(small.height * _WIDEST / small.width)), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "PNG")
    return stream.getvalue(), not cut and shown is result


def _plain_sheets(result: Result[Any]) -> dict[str, bytes]:
    """Of items that no report is made for: each one's own pictures."""
    rows = [Row(f"{place}", cells) for place, item in enumerate(result.items[:_MOST_CELLS]) if (cells := _cells(item))]
    if not rows:
        return {}
    stamp = result.provenance
    return drawn_pages(rows, title=f"{stamp.method['name']} on {stamp.model_name}", subtitle=[], provenance=stamp)


def _cells(item: Item) -> tuple[Cell, ...]:
    shown = ((role, image) for role, (_, image) in item.pictures().items())
    return tuple(Cell(image, (role,)) for role, image in shown if image.dtype == "uint8")
