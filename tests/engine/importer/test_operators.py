"""Single operators and short chains of them against ONNX Runtime, with known shapes and with unknown ones."""

from typing import Any

import numpy as np
import pytest

from support import models
from support.importing import assert_gradients, assert_same

R = models.random
X = R(0, 2, 3, 4, 5)
I = np.int64  # noqa: E741
F = np.float32

PLAIN: list[tuple[str, int, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    *((op, 13, {"x": X}, {}, {}) for op in ("Relu", "Sigmoid", "Tanh", "Exp", "Neg", "Abs", "Erf", "Floor", "Ceil")),
    ("Log", 13, {"x": np.abs(X) + 0.1}, {}, {}),
    ("Sqrt", 13, {"x": np.abs(X) + 0.1}, {}, {}),
    ("Reciprocal", 13, {"x": np.abs(X) + 0.1}, {}, {}),
    ("LeakyRelu", 16, {"x": X}, {}, {"alpha": 0.3}),
    ("LeakyRelu", 6, {"x": X}, {}, {}),
    ("Elu", 6, {"x": X}, {}, {"alpha": 0.7}),
    ("Selu", 6, {"x": X}, {}, {}),
    ("Celu", 12, {"x": X}, {}, {"alpha": 0.7}),
    ("HardSigmoid", 6, {"x": X}, {}, {"alpha": 0.3, "beta": 0.4}),
    ("HardSwish", 14, {"x": X * 3}, {}, {}),
    *(("Softmax", opset, {"x": X}, {}, {"axis": axis}) for opset in (1, 11, 13) for axis in (1, 2, 3)),
    *(("Softmax", opset, {"x": X}, {}, {}) for opset in (8, 11, 13)),
    *(("LogSoftmax", opset, {"x": X}, {}, {"axis": axis}) for opset in (1, 11, 13) for axis in (1, 3)),
    ("Softmax", 13, {"x": X}, {}, {"axis": -2}),
    *(("Add", opset, {"x": X}, {"b": R(1, 3, 1, 1)}, {}) for opset in (7, 13, 14)),
    ("Sub", 14, {"x": X}, {"b": R(1, 5)}, {}),
    ("Mul", 14, {"x": X, "z": R(1, 4, 1)}, {}, {}),
    ("Div", 14, {"x": X}, {"b": np.abs(R(1, 5)) + 1}, {}),
    ("Div", 14, {"x": np.arange(-7, 8)}, {"b": I(2)}, {}),
    ("Pow", 15, {"x": np.abs(X) + 0.1}, {"e": F(2.5)}, {}),
    ("Mod", 13, {"x": np.arange(-7, 8)}, {"b": I(3)}, {}),
    ("Mod", 13, {"x": X}, {"b": F(0.7)}, {"fmod": 1}),
    ("Sum", 13, {"a": X, "b": R(1, 5), "c": R(2, 4, 1)}, {}, {}),
    ("Mean", 13, {"a": X, "b": R(1, 5), "c": R(2, 4, 1)}, {}, {}),
    ("Max", 13, {"a": X, "b": R(1, 5)}, {}, {}),
    ("Min", 13, {"a": X, "b": R(1, 5), "c": R(2, 4, 1)}, {}, {}),
    ("MatMul", 13, {"x": X}, {"w": R(1, 5, 2)}, {}),
    ("MatMul", 9, {"x": X, "z": R(1, 2, 3, 5, 2)}, {}, {}),
    ("ConvTranspose", 11, {"x": X}, {"w": R(1, 3, 2, 3, 3), "b": R(2, 2)}, {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("ConvTranspose", 11, {"x": X}, {"w": R(1, 3, 2, 2, 2)}, {"strides": [2, 2], "output_padding": [1, 1]}),
    ("LRN", 13, {"x": X}, {}, {"size": 3, "alpha": 0.5, "beta": 0.6, "bias": 1.5}),
    ("LRN", 1, {"x": R(0, 1, 6, 2, 2)}, {}, {"size": 5}),
    ("InstanceNormalization", 6, {"x": X}, {"s": R(1, 3), "b": R(2, 3)}, {"epsilon": 0.01}),
    ("Transpose", 13, {"x": X}, {}, {"perm": [0, 2, 3, 1]}),
    ("Transpose", 1, {"x": X}, {}, {}),
    ("Concat", 13, {"a": X, "b": R(1, 2, 1, 4, 5)}, {}, {"axis": 1}),
    ("Concat", 11, {"a": X, "b": X}, {}, {"axis": -1}),
    ("Squeeze", 11, {"x": R(0, 1, 3, 1)}, {}, {"axes": [0]}),
    ("Squeeze", 13, {"x": R(0, 1, 3, 1)}, {"axes": I([-1])}, {}),
    ("Squeeze", 13, {"x": R(0, 1, 3, 1)}, {}, {}),
    ("Unsqueeze", 11, {"x": X}, {}, {"axes": [0, 3]}),
    ("Unsqueeze", 13, {"x": X}, {"axes": I([1, -1])}, {}),
    ("Gather", 13, {"x": X}, {"i": I([[0, -1], [2, 1]])}, {"axis": 1}),
    ("Gather", 13, {"x": X}, {"i": I(-1)}, {"axis": 2}),
    ("GatherElements", 13, {"x": X[0, 0]}, {"i": I([[0, 1, 2, 3, 0]])}, {"axis": 0}),
    ("Expand", 13, {"x": R(0, 3, 1)}, {"shape": I([2, 1, 4])}, {}),
    ("Tile", 13, {"x": X}, {"n": I([1, 2, 1, 3])}, {}),
    ("DepthToSpace", 13, {"x": R(0, 1, 8, 2, 3)}, {}, {"blocksize": 2, "mode": "CRD"}),
    ("Resize", 13, {"x": X}, {"r": F([]), "s": F([1, 1, 2, 3])}, {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}),
    ("Resize", 13, {"x": X}, {"r": F([]), "s": F([1, 1, 2, 1.5])}, {"mode": "linear"}),
    ("Resize", 13, {"x": X}, {"r": F([]), "e": F([]), "z": I([2, 3, 9, 7])}, {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
    ("Resize", 13, {"x": X}, {"r": F([]), "e": F([]), "z": I([2, 3, 9, 7])}, {"mode": "cubic"}),
    ("Resize", 13, {"x": X}, {"r": F([]), "e": F([]), "z": I([2, 3, 3, 2])}, {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}),
    ("Resize", 10, {"x": X}, {"s": F([1, 1, 2, 2])}, {"mode": "nearest"}),
    ("ArgMax", 13, {"x": X}, {}, {"axis": 1, "keepdims": 0}),
    ("Cast", 13, {"x": X * 9}, {}, {"to": 7}),
    ("Cast", 9, {"x": np.arange(3)}, {}, {"to": 1}),
    ("Where", 16, {"c": X > 0, "a": X, "b": R(1, 5)}, {}, {}),
    ("Equal", 13, {"a": np.arange(4), "b": I([0, 2, 2, 3])}, {}, {}),
    ("Shape", 15, {"x": X}, {}, {}),
    ("Shape", 15, {"x": X}, {}, {"start": 1, "end": -1}),
    ("ReduceL2", 13, {"x": X}, {}, {"axes": [1], "keepdims": 1}),
    ("ReduceProd", 13, {"x": X}, {}, {"axes": [-1]}),
    ("Einsum", 12, {"a": X[0, 0], "b": R(1, 5, 2)}, {}, {"equation": "ij,jk->ik"}),
    ("CumSum", 13, {"x": X}, {"a": I(1)}, {}),
    ("CumSum", 13, {"x": X}, {"a": I(-1)}, {"exclusive": 1, "reverse": 1}),
    ("NonZero", 13, {"x": X.clip(0, None)}, {}, {}),
    ("Resize", 13, {"x": X}, {"r": F([]), "s": F([1, 1, 2, 2])}, {"mode": "nearest"}),
    ("Resize", 13, {"x": X}, {"r": F([]), "s": F([1, 1, 2, 2])}, {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}),
    ("Resize", 13, {"x": X}, {"r": F([]), "s": F([1, 1, 2, 2])}, {"mode": "nearest", "nearest_mode": "ceil", "coordinate_transformation_mode": "asymmetric"}),
    ("Resize", 13, {"x": X}, {"r": F([]), "s": F([1, 1, 2, 2])}, {"mode": "cubic", "exclude_outside": 1}),
    ("Resize", 13, {"x": X}, {"r": F([]), "s": F([1, 1, 2, 2])}, {"mode": "cubic", "cubic_coeff_a": -0.5}),
    ("DepthToSpace", 13, {"x": R(0, 1, 8, 2, 3)}, {}, {"blocksize": 2}),
    ("Hardmax", 13, {"x": X}, {}, {}),
    ("GridSample", 16, {"x": X, "g": R(1, 2, 3, 3, 2)}, {}, {}),
    ("LpPool", 11, {"x": X}, {}, {"kernel_shape": [2, 2]}),
    ("Round", 11, {"x": F([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.3])}, {}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "opset", "inputs", "constants", "attributes"), PLAIN)
@pytest.mark.parametrize("dynamic", [False, True])
def test_operators(
    operator: str,
    opset: int,
    inputs: dict[str, Any],
    constants: dict[str, Any],
    attributes: dict[str, Any],
    dynamic: bool,
) -> None:
    order = [*inputs, *("" if name == "e" and operator == "Resize" else name for name in constants)]
    constants = {name: value for name, value in constants.items() if name in order}
    model = models.node(operator, inputs, opset=opset, constants=constants, order=order, dynamic=dynamic, **attributes)
    module = assert_same(model, inputs, tolerance=2e-5)
    assert not any(part.training for part in module.modules())
    smooth = {"ArgMax", "Cast", "Equal", "Shape", "Floor", "Ceil", "Round", "Mod", "Where", "NonZero", "Hardmax"}
    if not dynamic and operator not in smooth and all(a.dtype == np.float32 for a in inputs.values()):
        assert_gradients(module, inputs)


@pytest.mark.parametrize("opset", [2, 11, 13])
def test_split(opset: int) -> None:
    sizes = {"constants": {"s": I([1, 3])}} if opset == 13 else {"split": [1, 3]}
    assert_same(models.node("Split", {"x": X}, opset=opset, outputs=2, axis=2, **sizes), {"x": X})
    assert_same(models.node("Split", {"x": X}, opset=opset, outputs=2, axis=2), {"x": X})
    assert_same(models.node("Split", {"x": X}, opset=opset, outputs=1, axis=2), {"x": X})


def test_top_k() -> None:
    model = models.node("TopK", {"x": X}, opset=11, constants={"k": I([2])}, outputs=2, axis=1)
    assert_same(model, {"x": X})


def test_gradients_through_a_chain() -> None:
    model = models.parse(
        """g (float[N,3,6,6] x) => (float[N,2] y) {
          c = Conv (x, w) t = Tanh (c) p = AveragePool <kernel_shape = [2, 2]> (t)
          s = Sigmoid (p) m = Mul (s, p) f = Flatten (m) y = MatMul (f, v)
        }""",
        {"w": R(0, 2, 3, 3, 3), "v": R(1, 18, 2)},
        opset=13,
    )
    module = assert_same(model, {"x": R(2, 2, 3, 6, 6)})
    assert_gradients(module, {"x": R(2, 1, 3, 6, 6)})
