"""Operators that the standard dropped: values by ONNX Runtime, gradients by differences in float64."""

from typing import Any

import onnx
import pytest
from onnx import helper

import onnxray
from onnxray.errors import UnsupportedOperator
from support import importing, models

X = models.random(0, 2, 3, 6, 5, scale=2)
CASES: list[tuple[str, dict[str, Any]]] = [
    ("Affine", {"alpha": 2.0, "beta": 0.5}),
    ("ImageScaler", {"scale": 0.5, "bias": [1.0, -2.0, 3.0]}),
    ("ImageScaler", {"bias": [1.0, -2.0, 3.0]}),
    ("Crop", {"border": [1, 2, 0, 1]}),
    ("Crop", {"border": [1, 1, 0, 0], "scale": [3, 2]}),
    ("Crop", {"border": [0, 0, 0, 0]}),
    ("Scale", {"scale": 3.0}),
    ("ScaledTanh", {"alpha": 2.0, "beta": 0.5}),
    ("ParametricSoftplus", {"alpha": 2.0, "beta": 0.5}),
    ("ThresholdedRelu", {"alpha": 0.7}),
    ("ThresholdedRelu", {}),
]


def model_of(operator: str, attributes: dict[str, Any], opset: int = 9) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], **attributes)], "g",
        [value("x", 1, ["N", 3, 6, 5])], [value("y", 1, None)],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=4)


@pytest.mark.parametrize("opset", [7, 8, 9])
@pytest.mark.parametrize(("operator", "attributes"), CASES)
def test_values_and_gradients(operator: str, attributes: dict[str, Any], opset: int) -> None:
    module = importing.assert_same(model_of(operator, attributes, opset), {"x": X})
    importing.assert_gradients(module, {"x": X})


def test_coremls_preprocessing_in_front_of_a_network() -> None:
    text = "g (float[N,3,6,5] x) => (float[N,2] y) { a = Conv (p, w) r = Relu (a) g = GlobalAveragePool (r) y = Flatten (g) }"
    model = models.parse(text, {"w": models.random(1, 2, 3, 3, 3)}, opset=9, ir=4)
    scaled = helper.make_node("ImageScaler", ["x"], ["p"], scale=1 / 128, bias=[-1.0, -1.0, -1.0])
    model.graph.node.insert(0, scaled)
    opened = onnxray.open(model.SerializeToString(), profile="raw")
    assert opened.verify().agrees


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [("Affine", {"alpha": 2.0}), ("ImageScaler", {"bias": [1.0]}), ("ImageScaler", {}), ("Crop", {}),
     ("Crop", {"border": [1, 1, 1]}), ("Crop", {"border": [0, 0, 0, 0], "scale": [1]})],
)  # fmt: skip
def test_what_is_not_surely_known_is_refused(operator: str, attributes: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedOperator, match=operator):
        onnxray.to_torch(model_of(operator, attributes), verify=False)
