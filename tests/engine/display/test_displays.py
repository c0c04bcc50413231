"""What values show of themselves: one line, HTML that is well formed and harmless, and the run folder's own sheet."""

import base64
import io
import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

import onnxray
from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from onnxray.display import displays
from onnxray.errors import InputError
from onnxray.errors.shown_text import html_text
from onnxray.images.files import read_png, save_png
from onnxray.methods.attack.gradient.fgsm import FGSM
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.synthesis.invert import Invert
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.results.plain_item import PlainItem
from onnxray.results.result import Result
from support import models
from support.html_pages import Page
from support.linear import RAW, SIDE, Linear, pictures

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;\x1b[31m\u202eexe\u200b\x00" + "n" * 3000
WORD = HOSTILE.replace("\x00", "")


RESULTS = ("saliency", "lots", "invert", "maximize", "compare", "check", "attack", "evaluate")


def hostile_model() -> onnxray.Model:
    """A linear classifier whose names, labels, metadata and producer are what a stranger may write."""
    proto = Linear.random().proto()
    names = {"h": f"{WORD}/h", "z": f"{WORD}/z", "flat": f"{WORD}/f"}
    for node in proto.graph.node:
        node.name = f"{WORD}{node.op_type}{node.output[0]}"
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
        for place, name in enumerate(node.output):
            node.output[place] = names.get(name, name)
    proto.graph.output[0].name = names["z"]
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param = WORD
    proto.producer_name = WORD
    onnx.helper.set_model_props(proto, {WORD: WORD})
    labels = tuple(f"{k} {WORD[:900]}" for k in range(4))
    profile = replace(RAW, name=WORD[:900], source=WORD[:900], assumed=True, reasons=(WORD,), labels=labels)
    return onnxray.open(proto, profile)


def hostile_paths(folder: Path) -> list[str]:
    found = []
    for place, name in enumerate(("<script>a", "\x1b[31m\u202e", '"onload="x')):
        path = folder / f"{name}{place}.png"
        save_png(path, pictures(1, seed=place)[0])
        found.append(str(path))
    return found


def everything(model: onnxray.Model, images: Any) -> dict[str, Any]:
    layer = model.aliases["features"] if "features" in model.aliases else model.graph.nodes[1].outputs[0]
    found: dict[str, Any] = {
        "model": model, "graph": model.graph, "profile": model.profile, "batch": model.batch(),
        "verification": model.verify(), "pixels": model.pixels(images), "predictions": model.predict(images),
        "node": model.graph.nodes[0],
        "value": next(iter(model.graph.values.values())),
        "saliency": Gradient()(model, images), "lots": LOTS(layer=layer, until="linf", linf=20.0)(model, images, "inhibit"),
        "invert": Invert(steps=2, layer=layer, preset="plain")(model, images), "maximize": Maximize(steps=2)(model, target=1),
        "attack": FGSM(eps=20.0)(model, images),
        "evaluate": RobustnessEvaluation(eps="4,8", attacks="fgsm")(model, images),
        "compare": onnxray.compare(model, images, ["gradient", "grad-cam"], curve_steps=2),
        "check": onnxray.check("gradient", model, images, curve_steps=2, noise_copies=1, weights="none"),
    }  # fmt: skip
    for name in RESULTS:
        found |= {f"{name} item": found[name][0], f"{name} provenance": found[name].provenance}
    return found


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return everything(hostile_model(), hostile_paths(tmp_path_factory.mktemp("pictures")))


KINDS = sorted(
    ["model", "graph", "profile", "batch", "verification", "pixels", "predictions", "node", "value"]
    + [f"{name}{part}" for name in RESULTS for part in ("", " item", " provenance")]
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_repr_is_one_bounded_line_whatever_the_names_are(kind: str, hostile: dict[str, Any]) -> None:
    line = repr(hostile[kind])
    assert len(line) <= 300
    assert not [letter for letter in line if unicodedata.category(letter) in {"Cc", "Cf", "Zl", "Zp", "Cs"}]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"pixels", "node", "value"}))
def test_html_is_well_formed_and_holds_no_text_of_strangers_as_it_is(kind: str, hostile: dict[str, Any]) -> None:
    html = hostile[kind]._repr_html_()
    page = Page(html)
    assert page.faults == []
    assert "<script" not in html
    assert "<img src=x" not in html
    assert not re.search(r"[\x00-\x1f\u202e\u200b]", html)
    assert not re.search(r"https?:|javascript:", html)
    if kind not in {"batch", "maximize", "maximize item"}:
        assert "<script>" in page.text, "it is shown, as text"


@pytest.mark.parametrize("text", [HOSTILE, "a & b < c > d \" ' e", "\ud800", "", "plain é 中"])
def test_text_becomes_html_that_reads_as_the_terminal_shows_it(text: str) -> None:
    from onnxray.errors.shown_text import terminal

    shown = Page(f'<div style="{html_text(text)}">{html_text(text)}</div>')
    assert shown.text == terminal(text)
    assert shown.faults in ([], [f"style {terminal(text)}"])
    assert not set("<>\"'") & set(html_text(text))


def test_a_thousand_classes_are_no_dump() -> None:
    model = onnxray.open(
        Linear.random(classes=1000).proto(), replace(RAW, labels=tuple(f"label {k}" for k in range(1000)))
    )
    told = everything(model, pictures(12))
    for kind, value in told.items():
        assert len(repr(value)) <= 300, kind
        if kind not in {"pixels", "node", "value"}:
            without = re.sub(r"base64,[^\"]*", "", value._repr_html_())
            assert len(without) < 30_000, kind


def test_a_picture_is_the_one_of_the_run_folder(tmp_path: Path) -> None:
    from onnxray.report.saliency_report import sheets

    result = Gradient()(Linear.random().open(), pictures(2))
    saved = result.save(tmp_path / "run", sheets(result))
    drawn = np.asarray(result.sheet())
    assert drawn.shape[2] == 3
    np.testing.assert_array_equal(drawn, read_png(tmp_path / "run" / "sheet.png").transpose(1, 2, 0))
    np.testing.assert_array_equal(np.asarray(onnxray.load(tmp_path / "run").sheet()), drawn)
    page = Page(saved._repr_html_())
    inline = Image.open(io.BytesIO(base64.b64decode(page.pictures[0].partition(",")[2])))
    np.testing.assert_array_equal(np.asarray(inline), drawn)
    png = saved._repr_png_()
    assert png is not None
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), drawn)


def test_a_long_run_shows_the_top_of_its_sheet_and_says_so() -> None:
    result = Gradient()(Linear.random().open(), pictures(70))
    html = result._repr_html_()
    page = Page(html)
    inline = Image.open(io.BytesIO(base64.b64decode(page.pictures[0].partition(",")[2])))
    assert inline.height <= 2400
    assert inline.width <= 1600
    assert "result.sheet()" in page.text
    assert "and 60 more" in page.text
    assert len(html) < 3_000_000


def test_pages_that_are_not_there_are_one_line() -> None:
    result = Gradient()(Linear.random().open(), pictures(1))
    for page in (0, -1, 2, "1", True, 1.0):
        with pytest.raises(InputError):
            result.sheet(page)  # type: ignore[arg-type]
    empty = replace(result, items=())
    with pytest.raises(InputError, match="nothing of this result can be drawn"):
        empty.sheet()
    assert empty._repr_png_() is None
    assert Page(empty._repr_html_()).faults == []


def test_an_item_shows_its_main_picture_enlarged_by_whole_numbers() -> None:
    item = Gradient()(Linear.random().open(), pictures(1))[0]
    png = item._repr_png_()
    assert png is not None
    shown = np.asarray(Image.open(io.BytesIO(png)))
    times = 160 // SIDE
    np.testing.assert_array_equal(shown[::times, ::times].transpose(2, 0, 1), item.images["overlay"])


def test_what_is_unfinished_or_assumed_stands_out() -> None:
    result = Gradient()(hostile_model(), pictures(1))
    page = Page(replace(result, extra={"incomplete": True})._repr_html_())
    assert "did not come to its end" in page.text
    assert "ASSUMED profile" in page.text


def test_a_result_of_arrays_is_shown_without_a_picture() -> None:
    text = "g (float[N,4] x) => (float[N,3] z) { h = MatMul (x, w) z = Softmax (h) }"
    model = onnxray.open(models.parse(text, {"w": models.random(0, 4, 3)}))
    result = Gradient()(model, models.random(1, 2, 4))
    assert Page(result._repr_html_()).faults == []
    assert Page(result[0]._repr_html_()).faults == []
    assert Page(model._repr_html_()).faults == []
    assert Page(model.predict(models.random(1, 2, 4))._repr_html_()).faults == []


def test_answers_that_are_no_classes_are_shown_a_line_a_sample(tmp_path: Path) -> None:
    text = "g (float[N,4] x) => (float[N,3] z) { z = MatMul (x, w) }"
    proto = models.parse(text, {"w": models.random(0, 4, 3)})
    for kind in ("embedding", "regression"):
        answer = onnxray.open(proto, output=f"z={kind}").predict(models.random(1, 20, 4))
        page = Page(answer._repr_html_())
        assert page.faults == []
        assert answer.describe(3) in page.text
        assert "and 10 more" in page.text
        assert len(repr(answer)) < 300
        answer.to_csv(tmp_path / "t.csv")
        assert len((tmp_path / "t.csv").read_text().splitlines()) == 21
        assert [row["sample"] for row in answer.rows()] == list(range(20))


@dataclass(frozen=True, eq=False)
class Own(PlainItem):
    """An item of a user's own."""


def test_items_of_a_users_own_method_are_shown_by_what_they_are_made_from() -> None:
    provenance = Gradient()(Linear.random().open(), pictures(1)).provenance
    image = pictures(1)[0]
    item = Own(document={"number": 1.5}, stems={"image": "a"}, images={"image": image})
    result: Result[Own] = Result(provenance, (item,))
    assert Page(item._repr_html_()).faults == []
    assert result.sheet().height > SIDE
    assert "1.5" in Page(result._repr_html_()).text


def test_every_kind_of_item_has_a_sheet_and_a_line_of_its_own() -> None:
    from onnxray.display import loading, sheets
    from onnxray.methods.catalogue import methods

    for method in (*methods().values(), *loading._JUDGED):
        assert method.item_type in sheets._SHEETS
        assert "__repr__" in vars(method.item_type)


def test_every_display_is_there() -> None:
    import importlib

    for table in (displays._HTML, displays._PNG):
        for shown, place in table.items():
            module, _, name = shown.rpartition(".")
            assert hasattr(importlib.import_module(module), name)
            file, _, function = place.partition(".")
            assert callable(getattr(importlib.import_module(f"onnxray.display.{file}"), function))
