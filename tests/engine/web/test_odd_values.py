"""Values that are no maps of one sample: shapes, lists of boxes, single numbers, and numbers that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from PIL import Image

from onnxray.cli.parts.shared_options import Opening
from onnxray.errors import InputError
from onnxray.web.work import facts, pictures, values
from onnxray.web.work.bench import Bench

TEXT = """<ir_version: 8, opset_import: ["": 17]>
odd (float[1,3,8,8] image) => (float[1,192] scores, int64[4] shape, float total, float[6,7] boxes, float[1,192] infinite,
    double[1,192] vast, double[1,1,8,8] close)
<int64[1] flat = {-1}, int64[2] row = {1,-1}, int64[2] six = {6,7}, int64[1] nothing = {0}, int64[1] all = {42},
 float[1] whole = {1.0}, double[1] most = {8e307}, int64[1] one = {1}, double[1] apart = {2.220446049250313e-16}, double[1] unit = {1.0}>
{
  shape = Shape(image)
  scores = Reshape(image, row)
  total = ReduceSum<keepdims = 0>(image)
  line = Reshape(image, flat)
  first = Slice(line, nothing, all)
  boxes = Reshape(first, six)
  infinite = Div(whole, scores)
  double = Cast<to = 11>(scores)
  vast = Mul(double, most)
  red = Slice(image, nothing, one, one)
  wide = Cast<to = 11>(red)
  cut = Ceil(wide)
  far = Mul(cut, apart)
  close = Add(far, unit)
}"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A bench, a picture and what ONNX Runtime gives for it."""
    folder = tmp_path_factory.mktemp("odd")
    model = onnx.parser.parse_model(TEXT)
    onnx.save(model, folder / "odd.onnx")
    pixels = np.random.default_rng(1).integers(1, 256, (8, 8, 3), dtype=np.uint8)
    pixels[0, 0] = 0
    Image.fromarray(pixels).save(folder / "picture.png")
    bench = Bench([str(folder / "odd.onnx")], Opening())
    path = str(folder / "picture.png")
    feeds = bench.desk().model.feeds(bench.desk().pixels(path))
    session = onnxruntime.InferenceSession(folder / "odd.onnx", providers=["CPUExecutionProvider"])
    given = session.run(None, dict(feeds))
    return bench, path, dict(zip((one.name for one in session.get_outputs()), given))


@pytest.mark.parametrize("value", ["scores", "shape", "total", "boxes"])
def test_all_of_a_value_is_counted_whatever_its_first_axis_is(opened: Any, value: str) -> None:
    bench, path, given = opened
    found = values.value_shown(bench, value=value, picture=path)
    array = np.asarray(given[value], np.float64)
    assert found["shape"] == list(array.shape)
    told = found["statistics"]
    assert (told["least"], told["most"]) == (array.min(), array.max())
    assert (told["mean"], told["deviation"]) == pytest.approx((array.mean(), array.std()), rel=1e-6)
    assert told["zeros"] == (array == 0).mean()
    assert (found["histogram"]["from"], found["histogram"]["to"]) == (array.min(), array.max())
    assert sum(found["histogram"]["counts"]) == array.size == found["count"]
    channel = found["channels"][-1]["channel"]
    cell = values.cell_shown(bench, value=value, picture=path, channel=channel, row=0, column=0)
    assert cell["number"] == array.reshape(-1)[channel]
    with pytest.raises(InputError, match="there is no cell"):
        values.cell_shown(bench, value=value, picture=path, channel=array.size, row=0, column=0)


@pytest.mark.parametrize("value", ["infinite", "vast", "close"])
def test_numbers_at_the_edge_of_what_there_is_are_told_as_json_can(opened: Any, value: str) -> None:
    bench, path, given = opened
    found = values.value_shown(bench, value=value, picture=path)
    array = given[value]
    finite = array[np.isfinite(array)]
    assert found["statistics"]["most"] == float(finite.max(initial=-np.inf))
    assert sum(found["histogram"]["counts"]) == finite.size
    cell = values.cell_shown(bench, value=value, picture=path, channel=0, row=0, column=3)
    for answer in (found, cell):
        json.dumps({name: one for name, one in answer.items() if not isinstance(one, bytes)}, allow_nan=False)


def test_a_number_that_is_none_is_said_to_be(opened: Any) -> None:
    bench, path, given = opened
    at = int(np.flatnonzero(~np.isfinite(given["infinite"]))[0])
    cell = values.cell_shown(bench, value="infinite", picture=path, channel=at, row=0, column=0)
    assert cell["number"] == "not finite"
    assert cell["png"] is None
    assert cell["reason"]


@pytest.mark.parametrize("first", [-1, 192, 10**9])
def test_channels_that_are_not_there_are_refused(opened: Any, first: int) -> None:
    bench, path, _ = opened
    with pytest.raises(InputError, match="from 0 to 191"):
        values.value_shown(bench, value="scores", picture=path, first=first)


def test_the_size_of_a_large_picture_is_that_of_its_file(tmp_path: Path) -> None:
    Image.new("RGB", (2200, 1100)).save(tmp_path / "large.png")
    found = pictures.own_picture(Bench([], Opening()), path=str(tmp_path / "large.png"))
    assert found["text"] == "2200 × 1100"


def test_names_are_shown_as_what_they_hold_and_asked_for_as_they_are(tmp_path: Path) -> None:
    name = "\u202egnp.<b>\x1b[31m" + "a" * 5000
    text = """<ir_version: 8, opset_import: ["": 17]> g (float[1,3,8,8] image) => (float[1,192] y)
    { v = Relu(image) y = Flatten(v) }"""
    model = onnx.parser.parse_model(text)
    model.graph.node[0].name = model.graph.node[0].output[0] = model.graph.node[1].input[0] = name
    model.producer_name = name
    onnx.save(model, tmp_path / "names.onnx")
    Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / "picture.png")
    bench = Bench([str(tmp_path / "names.onnx")], Opening())
    found = facts.searched(bench, text="relu")["found"][0]
    shown = [found["name"], facts.model_facts(bench)["producer"], facts.node_facts(bench, node=0)["name"]]
    for text in shown:
        assert text.startswith(r"\u202egnp.<b>\x1b[31m")
        assert len(text) < 500
    assert found["value"] == name
    assert values.value_shown(bench, value=name, picture=str(tmp_path / "picture.png"))["count"] == 3


def test_a_derivative_that_passes_rounding_over_is_said_to(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["": 17]>
    q (float[1,3,8,8] image) => (float[1,3,8,8] y)
    <float step = {2.0}, uint8 zero = {0}, float twice = {2.0}>
    {
      before = Mul(image, twice)
      whole = QuantizeLinear(before, step, zero)
      y = DequantizeLinear(whole, step, zero)
    }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "q.onnx")
    Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(tmp_path / "picture.png")
    bench = Bench([str(tmp_path / "q.onnx")], Opening())
    told = {
        value: values.cell_shown(bench, value=value, picture=str(tmp_path / "picture.png"), channel=0, row=0, column=0)
        for value in ("before", "y")
    }
    assert {value: cell["rounded"] for value, cell in told.items()} == {"before": False, "y": True}
