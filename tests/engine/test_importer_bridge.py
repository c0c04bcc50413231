"""onnx2torch's converters through our bridge: what they give is what ONNX Runtime gives, or they are refused by name."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import UnsupportedOperator
from onnxray.importer.bridge import KNOWN_WRONG, SAME_BUT_FOR_TYPES
from support import models
from support.importing import assert_gradients, assert_same

ROOT = Path(__file__).resolve().parents[2]
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
    smooth = {"ArgMax", "Cast", "Equal", "Shape", "Floor", "Ceil", "Round", "Mod", "Where"}
    if not dynamic and operator not in smooth and all(a.dtype == np.float32 for a in inputs.values()):
        assert_gradients(module, inputs)


NEWER: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "Transpose": ({"x": X}, {}, {"perm": [0, 2, 3, 1]}),
    "Squeeze": ({"x": R(0, 1, 3, 1)}, {"axes": I([0])}, {}),
    "Unsqueeze": ({"x": X}, {"axes": I([1])}, {}),
    "Shape": ({"x": X}, {}, {"start": 1}),
    "ConstantOfShape": ({"x": I([2, 3])}, {}, {"value": onnx.helper.make_tensor("v", 1, [1], [2.5])}),
    "Equal": ({"a": np.arange(4), "b": I([0, 2, 2, 3])}, {}, {}),
    "GreaterOrEqual": ({"a": F([0, 1, 2]), "b": F([1, 1, 1])}, {}, {}),
    "LessOrEqual": ({"a": F([0, 1, 2]), "b": F([1, 1, 1])}, {}, {}),
    "HardSigmoid": ({"x": X * 3}, {}, {"alpha": 0.3}),
    "HardSwish": ({"x": X * 3}, {}, {}),
    "Elu": ({"x": X}, {}, {"alpha": 0.5}),
    "Selu": ({"x": X}, {}, {}),
    "Softplus": ({"x": X}, {}, {}),
    "Softsign": ({"x": X}, {}, {}),
    "Round": ({"x": F([-2.5, -1.5, 0.5, 1.5])}, {}, {}),
    "InstanceNormalization": ({"x": X}, {"s": R(1, 3), "b": R(2, 3)}, {}),
    **{operator: ({"x": X}, {}, {}) for operator in ("Sin", "Cos", "Tan", "Atan")},
    **{operator: ({"x": X.clip(-0.9, 0.9)}, {}, {}) for operator in ("Asin", "Acos")},
    "Flatten": ({"x": X}, {}, {"axis": 2}),
}  # fmt: skip


@pytest.mark.parametrize(("operator", "version"), sorted(SAME_BUT_FOR_TYPES))
def test_versions_said_to_differ_in_types_alone(operator: str, version: int) -> None:
    inputs, constants, attributes = NEWER[operator]
    if operator == "Shape" and version < 15:
        attributes = {}
    model = models.node(operator, inputs, opset=version, constants=constants, **attributes)
    assert_same(model, inputs)


@pytest.mark.parametrize(("operator", "version"), sorted(SAME_BUT_FOR_TYPES))
def test_versions_said_to_differ_in_types_alone_do_so_by_their_schemas(operator: str, version: int) -> None:
    newer = onnx.defs.get_schema(operator, version)
    older = onnx.defs.get_schema(operator, SAME_BUT_FOR_TYPES[operator, version])
    assert newer.since_version == version
    assert older.since_version == SAME_BUT_FOR_TYPES[operator, version]
    assert set(newer.attributes) == set(older.attributes)
    assert [entry.name for entry in newer.inputs] == [entry.name for entry in older.inputs]
    for name, attribute in newer.attributes.items():
        assert onnx.helper.printable_attribute(attribute.default_value) == onnx.helper.printable_attribute(
            older.attributes[name].default_value
        )


@pytest.mark.parametrize(
    ("operator", "inputs", "constants", "attributes"),
    [
        ("CumSum", {"x": X}, {"a": I(1)}, {}),
        ("NonZero", {"x": X}, {}, {}),
        ("Resize", {"x": X}, {"r": F([]), "s": F([1, 1, 2, 2])}, {"mode": "nearest"}),
        ("Resize", {"x": X}, {"r": F([]), "s": F([1, 1, 2, 2])}, {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}),
        ("Resize", {"x": X}, {"r": F([]), "s": F([1, 1, 2, 2])}, {"mode": "nearest", "nearest_mode": "ceil", "coordinate_transformation_mode": "asymmetric"}),
        ("Resize", {"x": X}, {"r": F([]), "s": F([1, 1, 2, 2])}, {"mode": "cubic", "exclude_outside": 1}),
        ("Resize", {"x": X}, {"r": F([]), "s": F([1, 1, 2, 2])}, {"mode": "cubic", "cubic_coeff_a": -0.5}),
        ("DepthToSpace", {"x": R(0, 1, 8, 2, 3)}, {}, {"blocksize": 2}),
        ("Hardmax", {"x": X}, {}, {}),
        ("GridSample", {"x": X, "g": R(1, 2, 3, 3, 2)}, {}, {}),
        ("LpPool", {"x": X}, {}, {"kernel_shape": [2, 2]}),
    ],
)  # fmt: skip
def test_wrong_and_missing_converters_are_refused_by_name(
    operator: str, inputs: dict[str, Any], constants: dict[str, Any], attributes: dict[str, Any]
) -> None:
    opset = 16 if operator == "GridSample" else 13
    model = models.node(operator, inputs, opset=opset, constants=constants, **attributes)
    with pytest.raises(
        UnsupportedOperator, match=f"node 'only': operator {operator} version .* is not supported: "
    ) as caught:
        onnxray.to_torch(model, verify=False)
    assert "\n" not in str(caught.value)


def test_the_known_wrong_ones_are_wrong() -> None:
    """Once onnx2torch mends one of them, it may come off the list."""
    assert set(KNOWN_WRONG) == {"CumSum", "NonZero"}


def test_subgraphs_are_refused_by_name() -> None:
    model = models.parse(
        """g (float[N] x, bool c) => (float[N] y) {
          [choice] y = If (c) <then_branch = t () => (float[N] p) { p = Relu (x) }, else_branch = e () => (float[N] q) { q = Neg (x) }>
        }"""
    )
    with pytest.raises(
        UnsupportedOperator, match="'choice': operator If version 16 is not supported: it has subgraphs"
    ):
        onnxray.to_torch(model, verify=False)


@pytest.mark.parametrize("opset", [2, 11, 13])
def test_split(opset: int) -> None:
    sizes = {"constants": {"s": I([1, 3])}} if opset == 13 else {"split": [1, 3]}
    assert_same(models.node("Split", {"x": X}, opset=opset, outputs=2, axis=2, **sizes), {"x": X})
    assert_same(models.node("Split", {"x": X}, opset=opset, outputs=2, axis=2), {"x": X})
    assert_same(models.node("Split", {"x": X}, opset=opset, outputs=1, axis=2), {"x": X})


def test_top_k() -> None:
    model = models.node("TopK", {"x": X}, opset=11, constants={"k": I([2])}, outputs=2, axis=1)
    assert_same(model, {"x": X})


def in_a_process(code: str) -> str:
    prelude = "import sys; sys.path[:0] = ['engine', 'tests']\n"
    done = subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


BROKEN = """
import importlib.abc, importlib.util
class Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    "A torchvision whose binary does not fit torch: its package half loads, then dies."
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self, is_package=True) if name.startswith('torchvision') else None
    def exec_module(self, module):
        if module.__name__ == 'torchvision':
            import torchvision._meta_registrations
        elif module.__name__ == 'torchvision._meta_registrations':
            raise RuntimeError('operator torchvision::nms does not exist')
sys.meta_path.insert(0, Broken())
"""
NMS = """
import numpy as np, onnx, onnxray
from support import models
from onnxray.errors import UnsupportedOperator
boxes, scores = models.random(0, 1, 4, 4), models.random(1, 1, 1, 4)
model = models.node('NonMaxSuppression', {'b': boxes, 's': scores}, opset=11, constants={'n': np.int64([2])})
try:
    module = onnxray.to_torch(model, verify=False)
    import torch
    module(torch.from_numpy(boxes), torch.from_numpy(scores))
    print('fine')
except UnsupportedOperator as error:
    print(error)
print(sorted(name for name in sys.modules if name.startswith('torchvision')))
"""


def test_a_broken_torchvision_is_named_by_the_operator_that_needs_it_and_left_alone() -> None:
    said, loaded = in_a_process(BROKEN + NMS).splitlines()[-2:]
    assert "NonMaxSuppression and RoiAlign need torchvision's" in said
    assert "operator torchvision::nms does not exist" in said
    assert "install the torchvision that was built for torch" in said
    assert loaded == "[]"


def test_a_broken_torchvision_does_not_matter_to_the_rest() -> None:
    code = """
import onnxray
from support import models
module = onnxray.to_torch(models.lenet())
import onnx2torch
print(sorted(name for name in sys.modules if name.startswith('torchvision')))
try:
    import torchvision
    print('imported')
except RuntimeError as error:
    print(error)
"""
    loaded, died = in_a_process(BROKEN + code).splitlines()[-2:]
    assert loaded == "[]"
    assert died == "operator torchvision::nms does not exist"  # as it would without us


def test_a_torchvision_that_works_is_used() -> None:
    works = """
import types, torch
vision, ops = types.ModuleType('torchvision'), types.ModuleType('torchvision.ops')
vision.ops, vision.__path__, ops.__path__ = ops, [], []
ops.nms = lambda boxes, scores, iou_threshold: torch.arange(len(boxes))
ops.box_convert = lambda boxes, in_fmt, out_fmt: boxes
ops.roi_align = None
sys.modules.update({'torchvision': vision, 'torchvision.ops': ops})
"""
    lines = in_a_process(works + NMS).splitlines()
    assert lines[-2] == "fine"


def test_this_environments_torchvision_survives_as_it_is() -> None:
    """Whatever torchvision is here, good, broken or none: importing it after us ends as it does without us."""
    code = """
def outcome():
    try:
        import torchvision
        return 'works'
    except Exception as error:
        return f'{type(error).__name__}: {error}'
"""
    ours = code + "import onnxray; from support import models; onnxray.to_torch(models.lenet()); import onnx2torch\n"
    assert (
        in_a_process(ours + "print(outcome())").splitlines()[-1]
        == in_a_process(code + "print(outcome())").splitlines()[-1]
    )


def test_gradients_through_a_chain_of_both_kinds_of_converters() -> None:
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
