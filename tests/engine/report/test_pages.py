"""What every page says of its run."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import onnxray
from onnxray.images.drawing.contact_sheet import Cell, Row
from onnxray.images.drawing.page.palette import WHITE
from onnxray.images.drawing.plot_style import rgb
from onnxray.report.pages import MOST_ROWS, drawn_pages, model_name, more_rows
from onnxray.results.provenance import provenance


def test_the_models_name_is_that_of_its_file() -> None:
    stamp = provenance(onnxray.open("lenet"), name="m", options={}, seed=0, seconds=0.0, notes=())
    assert model_name(stamp) == "lenet.onnx"
    assert model_name(replace(stamp, model={"path": None})) == "model"


@pytest.mark.parametrize("assumed", [False, True])
def test_a_profile_that_was_assumed_is_no_small_print(assumed: bool) -> None:
    stamp = provenance(onnxray.open("lenet"), name="m", options={}, seed=0, seconds=0.0, notes=())
    assert stamp.profile is not None
    stamp = replace(stamp, profile={**stamp.profile, "assumed": assumed})
    cell = Cell(np.zeros((1, 28, 28), np.uint8), ("a",))
    pages = drawn_pages([Row("", (cell,))], title="t", subtitle=["s"], provenance=stamp)
    with Image.open(io.BytesIO(pages["sheet.png"])) as page:
        warning = (np.asarray(page.convert("RGB")) == rgb(WHITE.warning)).all(2)
    assert warning.any() == assumed


def test_a_title_of_its_own_heads_the_pages() -> None:
    stamp = provenance(onnxray.open("lenet"), name="m", options={}, seed=0, seconds=0.0, notes=())
    rows = [Row("", (Cell(np.zeros((1, 28, 28), np.uint8), ("a",)),))]
    own = drawn_pages(rows, title="other", subtitle=[], provenance=replace(stamp, title="mine"))
    assert own == drawn_pages(rows, title="mine", subtitle=[], provenance=stamp)
    assert own != drawn_pages(rows, title="other", subtitle=[], provenance=stamp)


def test_names_of_classes_that_were_assumed_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def keep(rows: object, *, subtitle: list[str], **more: object) -> list[Image.Image]:
        said.extend(subtitle)
        return []

    monkeypatch.setattr("onnxray.report.pages.contact_sheet_pages", keep)
    stamp = provenance(onnxray.open("lenet"), name="m", options={}, seed=0, seconds=0.0, notes=())
    drawn_pages([], title="t", subtitle=[], provenance=stamp)
    assert said == ["profile lenet (from: lenet.toml)"]
    assumed = {**(stamp.profile or {}), "labels_assumed": "ImageNet-1k, assumed because x and because y"}
    drawn_pages([], title="t", subtitle=[], provenance=replace(stamp, profile=assumed))
    assert said[1] == "profile lenet (from: lenet.toml); labels: ImageNet-1k, assumed"


@pytest.mark.parametrize(("count", "names"), [(1, ["sheet.png"]), (30, ["sheet-1.png", "sheet-2.png", "sheet-3.png"])])
def test_pages_are_numbered_where_there_are_several(count: int, names: list[str]) -> None:
    stamp = provenance(onnxray.open("lenet"), name="m", options={}, seed=0, seconds=0.0, notes=())
    cell = Cell(np.zeros((1, 224, 224), np.uint8), ("a",))
    drawn = drawn_pages([Row(str(k), (cell,)) for k in range(count)], title="t", subtitle=[], provenance=stamp)
    assert list(drawn) == names


def test_what_is_left_out_is_said_where_it_is() -> None:
    assert more_rows(MOST_ROWS, "images") == []
    assert more_rows(MOST_ROWS + 7, "images") == ["7 more images in index.html"]
