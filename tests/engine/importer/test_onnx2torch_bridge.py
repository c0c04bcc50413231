"""onnx2torch's converters through our bridge, which we have no operator for today: ours are put aside here."""

import ast
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import UnsupportedOperator
from onnxray.importer import walk as build
from support import models
from support.importing import assert_gradients, assert_same
from support.paths import ROOT

R = models.random
X = R(0, 2, 3, 4, 5)
IMAGE = {"x": R(0, 1, 3, 4, 5)}


@pytest.fixture
def without_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "CONVERTERS", {})


@pytest.mark.usefixtures("without_ours")
@pytest.mark.parametrize(
    ("operator", "opset", "inputs", "constants", "attributes"),
    [
        ("Relu", 13, {"x": X}, {}, {}),
        ("LeakyRelu", 16, {"x": X}, {}, {"alpha": 0.3}),
        ("Softmax", 13, {"x": X}, {}, {"axis": 1}),
        ("Add", 14, {"x": X, "b": R(1, 5)}, {}, {}),
        ("MatMul", 13, {"x": X}, {"w": R(1, 5, 2)}, {}),
        ("Gemm", 13, {"x": R(0, 2, 4)}, {"w": R(1, 3, 4), "b": R(2, 3)}, {"transB": 1}),
        ("Conv", 11, IMAGE, {"w": R(1, 2, 3, 3, 3), "b": R(2, 2)}, {"pads": [1, 1, 1, 1]}),
        ("ConvTranspose", 11, IMAGE, {"w": R(1, 3, 2, 3, 3), "b": R(2, 2)}, {"strides": [2, 2]}),
        ("Transpose", 13, {"x": X}, {}, {"perm": [0, 2, 3, 1]}),
        ("Squeeze", 13, {"x": R(0, 1, 3, 1)}, {"axes": np.int64([0])}, {}),
    ],
)  # fmt: skip
def test_what_onnx2torch_converts_is_what_onnx_runtime_gives(
    operator: str, opset: int, inputs: dict[str, Any], constants: dict[str, Any], attributes: dict[str, Any]
) -> None:
    module = assert_same(models.node(operator, inputs, opset=opset, constants=constants, **attributes), inputs)
    assert not any(part.training for part in module.modules())
    assert_gradients(module, inputs)


@pytest.mark.usefixtures("without_ours")
def test_a_weight_that_onnx2torch_copied_is_held_once() -> None:
    model = models.parse(
        "g (float[N,3,4,4] x) => (float[N,3,4,4] y) { a = Conv (x, w, b) y = Conv (a, w, b) }",
        {"w": R(0, 3, 3, 1, 1), "b": R(1, 3)},
    )
    module = onnxray.to_torch(model, trainable=True)
    assert module.layer("a").weight is module.layer("y").weight is module.get_parameter("w")
    assert set(dict(module.named_parameters())) == {"w", "b"}


@pytest.mark.usefixtures("without_ours")
@pytest.mark.parametrize(
    ("operator", "inputs", "attributes", "said"),
    [
        ("Hardmax", {"x": X}, {}, "there is no converter for it"),
        ("DepthToSpace", {"x": R(0, 1, 8, 2, 3)}, {"blocksize": 2}, "its converter says "),
    ],
)
def test_missing_and_failing_converters_are_refused_by_name(
    operator: str, inputs: dict[str, Any], attributes: dict[str, Any], said: str
) -> None:
    model = models.node(operator, inputs, opset=13, **attributes)
    expected = f"node 'only': operator {operator} version 13 is not supported: {said}"
    with pytest.raises(UnsupportedOperator, match=expected) as caught:
        onnxray.to_torch(model, verify=False)
    assert "\n" not in str(caught.value)


def test_an_operator_that_nobody_knows_is_refused_by_name() -> None:
    model = models.parse("g (float[N] x) => (float[N] y) { [odd] y = Strange (x) }")
    with pytest.raises(
        UnsupportedOperator, match="node 'odd': operator Strange version 17 is not supported: there is no"
    ):
        onnxray.to_torch(model, verify=False)


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
THROUGH_US = """
import onnxray
from onnxray.errors import UnsupportedOperator
from onnxray.importer import onnx2torch_bridge as bridge
from support import models
try:
    onnxray.to_torch(models.parse('g (float[N] x) => (float[N] y) { y = Strange (x) }'), verify=False)
except UnsupportedOperator:
    print('refused')
"""
THEIRS = """
import numpy as np, torch, onnx2torch
boxes, scores = models.random(0, 1, 4, 4), models.random(1, 1, 1, 4)
given = {'n': np.int64([2]), 'i': np.float32([0.5]), 's': np.float32([-9])}
model = models.node('NonMaxSuppression', {'b': boxes, 'p': scores}, opset=11, constants=given)
try:
    print(onnx2torch.convert(model)(torch.from_numpy(boxes), torch.from_numpy(scores)).tolist())
except RuntimeError as error:
    print(error)
"""


def test_a_broken_torchvision_does_not_matter_to_us_and_is_left_alone() -> None:
    code = """
import onnx2torch
print(sorted(name for name in sys.modules if name.startswith('torchvision')))
try:
    import torchvision
    print('imported')
except RuntimeError as error:
    print(error)
"""
    refused, loaded, died = in_a_process(BROKEN + THROUGH_US + code).splitlines()[-3:]
    assert (refused, loaded) == ("refused", "[]")
    assert died == "operator torchvision::nms does not exist"  # as it would without us


def test_onnx2torch_itself_meets_the_broken_torchvision_where_it_needs_it() -> None:
    assert in_a_process(BROKEN + THROUGH_US + THEIRS).splitlines()[-1] == "operator torchvision::nms does not exist"


def test_onnx2torch_itself_uses_a_torchvision_that_works() -> None:
    works = """
import types, torch
vision, ops = types.ModuleType('torchvision'), types.ModuleType('torchvision.ops')
vision.ops, vision.__path__, ops.__path__ = ops, [], []
ops.nms = lambda boxes, scores, iou_threshold: torch.arange(len(boxes))
ops.box_convert = lambda boxes, in_fmt, out_fmt: boxes
ops.roi_align = None
"""
    there = "sys.modules.update({'torchvision': vision, 'torchvision.ops': ops})\n"
    for order in (works + there + THROUGH_US, works + THROUGH_US + there):
        assert in_a_process(order + THEIRS).splitlines()[-1] == "[[0, 0, 0], [0, 0, 1]]"


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
    ours = code + THROUGH_US + "import onnx2torch\n"
    assert (
        in_a_process(ours + "print(outcome())").splitlines()[-1]
        == in_a_process(code + "print(outcome())").splitlines()[-1]
    )


def test_what_is_taken_from_onnx2torch_is_a_closed_list() -> None:
    """All of it passes the node tests; once this fails, onnx2torch offers another operator: see whether it is right."""
    code = """
import onnx
from onnxray.importer import ops
from onnxray.importer import onnx2torch_bridge as bridge
bridge._load_onnx2torch()
from onnx2torch.node_converters.registry import _CONVERTER_REGISTRY
theirs = {(d.domain, d.operation_type, d.version) for d in _CONVERTER_REGISTRY}
known = {(s.domain, s.name, s.since_version) for s in onnx.defs.get_all_schemas_with_history()}
print(sorted({key[1] for key in theirs & known - ops.CONVERTERS.keys()}))
"""
    taken = ast.literal_eval(in_a_process(code).splitlines()[-1])
    names = "Acos Asin Atan Ceil Constant Cos Elu Exp Floor LeakyRelu Log Reciprocal Relu Sigmoid Sin Sqrt Tan"
    assert taken == names.split()  # the walk reads Constant as a weight
