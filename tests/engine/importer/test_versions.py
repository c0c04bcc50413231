"""Every version of operators that test_importer does not try, against ONNX Runtime, and their gradients once."""

from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxray
from onnxray.importer.ops import CONVERTERS
from onnxray.importer.ops.neural import linear, normalization
from onnxray.importer.ops.tensors import reduction, shaping
from support import models
from support.importing import assert_gradients, assert_same, outputs

R = models.random
X = {"x": R(0, 2, 4, 2, 6)}
PLACES = {"axes": [1, 2]}

OPERATORS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "MatMul": (X, {"w": R(1, 6, 3)}, {}),
    "Einsum": ({"a": R(0, 2, 3), "b": R(1, 3, 4)}, {}, {"equation": "ij, jk -> ki"}),
    "InstanceNormalization": (X, {"s": R(1, 4), "b": R(2, 4)}, {"epsilon": 0.01}),
    "GroupNormalization": (X, {"s": R(1, 4), "b": R(2, 4)}, {"epsilon": 0.01, "num_groups": 2}),
    "RMSNormalization": (X, {"s": R(1, 2, 6)}, {"epsilon": 0.01, "axis": 2}),
    **{f"Reduce{name}": (X, {}, PLACES | {"keepdims": 0}) for name in ("Prod", "L1", "L2", "SumSquare", "LogSumExp")},
    "ReduceLogSum": ({"x": np.abs(R(0, 2, 4, 6)) + 0.5}, {}, PLACES),
    "Squeeze": ({"x": R(0, 2, 1, 1, 6)}, {}, PLACES),
    "Unsqueeze": (X, {}, PLACES),
    "Transpose": (X, {}, {"perm": [0, 2, 3, 1]}),
    "Expand": ({"x": R(0, 3, 1)}, {"shape": np.int64([2, 1, 4])}, {}),
    "Shape": (X, {}, {"start": 1, "end": -1}),
    "Size": (X, {}, {}),
    "ConstantOfShape": ({"x": np.int64([2, 3])}, {}, {"value": onnx.helper.make_tensor("v", 1, [1], [2.5])}),
    "Equal": ({"a": np.arange(4), "b": np.int64([0, 2, 2, 3])}, {}, {}),
    "GreaterOrEqual": ({"a": np.float32([0, 1, 2]), "b": np.float32([1, 1, 1])}, {}, {}),
    "LessOrEqual": ({"a": np.float32([0, 1, 2]), "b": np.float32([1, 1, 1])}, {}, {}),
    "HardSigmoid": (X, {}, {"alpha": 0.3}),
    "Selu": (X, {}, {"alpha": 1.6, "gamma": 1.1}),  # version 1 has other defaults
    "Elu": (X, {}, {"alpha": 0.5}),
    **{name: (X, {}, {}) for name in ("HardSwish", "Softplus", "Softsign", "Sin", "Cos", "Tan", "Atan")},
    **{name: ({"x": R(0, 2, 3).clip(-0.9, 0.9)}, {}, {}) for name in ("Asin", "Acos")},
    "Round": ({"x": np.float32([-2.5, -1.5, 0.5, 1.5])}, {}, {}),
    "DepthToSpace": (X, {}, {"blocksize": 2}),
    "SpaceToDepth": (X, {}, {"blocksize": 2}),
}
"""Operator -> inputs, constants, attributes; ``axes`` is put where the version wants it."""

ELSEWHERE = {
    "Gemm", "BatchNormalization", "LayerNormalization", "Reshape", "Flatten",
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin",
}  # fmt: skip
"""Tried by test_importer."""

DECLARED = sorted(
    {
        (operator, version)
        for family in (linear, normalization, reduction, shaping)
        for _, operator, version in family.CONVERTERS
        if operator not in ELSEWHERE
    }
    | {(operator, version) for domain, operator, version in CONVERTERS if not domain and operator in OPERATORS}
)
ROUGH = {"Shape", "Size", "ConstantOfShape", "Equal", "GreaterOrEqual", "LessOrEqual", "Round"}


@pytest.mark.parametrize(("operator", "version"), DECLARED)
def test_every_version(operator: str, version: int) -> None:
    inputs, constants, attributes = OPERATORS[operator]
    schema = onnx.defs.get_schema(operator, version)
    if "axes" in attributes and "axes" not in schema.attributes:
        constants = constants | {"axes": np.int64(attributes["axes"])}
    attributes = {name: value for name, value in attributes.items() if name in schema.attributes}
    if operator == "GroupNormalization" and version < 21:
        constants = {"s": R(1, 2), "b": R(2, 2)}
    node = partial(models.node, operator, inputs, constants=constants, **attributes)
    judged = node(opset=max(version, 7))  # the first that ONNX Runtime runs; versions 1 and 6 differ in types alone
    try:
        models.run(judged, inputs)
    except onnxruntime.capi.onnxruntime_pybind11_state.Fail as error:
        pytest.skip(f"ONNX Runtime does not run {operator} {version} yet: {str(error)[:80]}")
    module = assert_same(judged, inputs)
    for found, expected in zip(
        outputs(onnxray.to_torch(node(opset=version), verify=False), inputs), models.run(judged, inputs)
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    if operator not in ROUGH and version == max(v for o, v in DECLARED if o == operator and v < 28):
        assert_gradients(module, inputs)
