"""Detectors are known by the shapes of their outputs and what stands behind them."""

from __future__ import annotations

import onnx
import pytest

from onnxray.graph.outputs.output_kinds import answered_output, outputs_of
from onnxray.graph.reading import read_graph
from support import models
from support.detectors import DETECTORS, detector


@pytest.mark.parametrize("name", DETECTORS)
def test_kinds(name: str) -> None:
    graph = read_graph(detector(name))
    assert {one.name: one.kind for one in outputs_of(graph)} == DETECTORS[name][2]
    assert answered_output(graph).kind == "boxes"


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("yolo, numbers first", (("box", 4), ("scores", 2))),
        ("yolo, places first with objectness", (("box", 4), ("objectness", 1), ("scores", 2))),
        ("suppressed, in one", (("class", 1), ("score", 1), ("box", 4))),
    ],
)
def test_columns_of_one_output(name: str, columns: tuple[tuple[str, int], ...]) -> None:
    (found,) = outputs_of(read_graph(detector(name)))
    assert found.columns == columns


@pytest.mark.parametrize("name", [name for name in DETECTORS if "suppressed" in name])
def test_rows_that_were_chosen_are_no_samples(name: str) -> None:
    assert all(one.rows_alone for one in outputs_of(read_graph(detector(name))))


def test_padded_rows_that_were_chosen_are_samples_rows() -> None:
    """TensorRT's and TensorFlow's: samples first, with how many are meant beside."""
    text = """<ir_version: 8, opset_import: ["": 17, "trt": 1]> g (float[N,3,8,8] x) =>
      (int32[N,1] num, float[N,9,4] boxes, float[N,9] scores, int32[N,9] classes) {
      num, boxes, scores, classes = trt.EfficientNMS_TRT (x, x) }"""
    found = {one.name: one for one in outputs_of(read_graph(onnx.parser.parse_model(text)))}
    assert {name: one.kind for name, one in found.items()} == {
        "num": "box count", "boxes": "boxes", "scores": "box scores", "classes": "box classes",
    }  # fmt: skip
    assert not any(one.rows_alone for one in found.values())


@pytest.mark.parametrize(
    "outputs",
    ["float[N,64,4] a, float[N,32,2] c", "float[N,64,5] a, float[N,64,2] c", "float[N,1,4] a, float[N,1,2] c"],
)
def test_other_pairs_are_no_boxes(outputs: str) -> None:
    text = f"g (float[N,3,8,8] x) => ({outputs}) {{ a = Sin (x) c = Cos (x) }}"
    assert all(one.kind != "boxes" for one in outputs_of(read_graph(models.parse(text))))
