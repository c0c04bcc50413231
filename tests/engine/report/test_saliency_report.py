"""What a sheet of maps says: nothing that is not drawn, and no number cut off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.images.drawing.contact_sheet import Row
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.objects_of_maps import Reference, with_objects
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from onnxray.methods.saliency.relevance.lrp import LRP
from onnxray.report import saliency_report
from support import models


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the sheets of the last result are drawn of."""
    found: dict[str, Any] = {}

    def keep(rows: list[Row], **more: Any) -> dict[str, bytes]:
        found.update(more, rows=rows)
        return {}

    monkeypatch.setattr(saliency_report, "drawn_pages", keep)
    return found


def model(labels: Any = None) -> onnxray.Model:
    return onnxray.open(models.lenet(), profile=models.GREY, labels=labels)


@pytest.mark.parametrize("given", [False, True])
def test_the_reference_is_in_the_legend_where_one_is_drawn(drawn: dict[str, Any], given: bool) -> None:
    own = model()
    result = with_objects(
        Gradient()(own, models.pictures(1)), own, "threshold", [Reference(box=(1, 1, 9, 9)) if given else None]
    )
    saliency_report.sheets(result)
    assert any("sky blue: the reference" in line for line in drawn["subtitle"]) == given
    assert any("yellow: the object" in line for line in drawn["subtitle"])


def test_a_long_name_takes_no_number_s_place(drawn: dict[str, Any]) -> None:
    result = Gradient()(model(["American eagle, Haliaeetus leucocephalus " * 4] * 5), models.pictures(1))
    saliency_report.sheets(result)
    cell = drawn["rows"][0].cells[0]
    assert cell.heading == ("image",)
    assert cell.caption[1] == f"probability {result.items[0].probability:.4f}"


@pytest.mark.parametrize("flips", [False, True])
def test_a_class_that_no_position_changes(drawn: dict[str, Any], flips: bool) -> None:
    """A square of the picture's own colour changes nothing; one that hides all the light does."""
    picture = np.full((1, 1, 14, 14), 255.0 if flips else 0.0, np.float32)
    found = Occlusion(size=14 if flips else 7, fill="black")(model(), picture)
    kept = found.items[0].numbers_["class_kept"]
    saliency_report.sheets(found)
    cell = drawn["rows"][0].cells[3]
    assert (kept == 1) == (not flips)
    assert (cell.caption == ("no position flips it",) and cell.image is None) == (not flips)


def test_the_conservation_gap_stands_under_a_map_that_has_one(drawn: dict[str, Any]) -> None:
    for method, said in ((LRP(), True), (Gradient(), False)):
        found = method(model(), models.pictures(1))
        saliency_report.sheets(found)
        caption = drawn["rows"][0].cells[1].caption
        assert any("gap" in line for line in caption) == said
        if said:
            assert f"conservation gap {found.items[0].numbers_['conservation_gap']:.2%}" in caption
