"""onnx2torch's converters through our bridge: those that serve, and the others with ours put aside."""

import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest

import onnxray
from conformance.converter_cases import known_converters
from conformance.converter_trial import KINDS, converted_by, tried
from onnxray.errors import UnsupportedOperator
from onnxray.importer.nodes.opset_versions import since_version
from onnxray.importer.onnx2torch_operators import OURS, SERVED
from onnxray.importer.ops import CONVERTERS
from support import models
from support.importing import assert_gradients, assert_same
from support.paths import ROOT

R = models.random
X = R(0, 2, 3, 4, 5)
IMAGE = {"x": R(0, 1, 3, 4, 5)}

SLICE = [
    ("CumSum", 14), ("IsInf", 10), ("Add", 14), ("ArgMax", 13), ("Conv", 11), ("Selu", 6), ("Flatten", 13), ("Celu", 12),
    ("Squeeze", 21), ("Split", 13), ("Mul", 6), ("BatchNormalization", 9), ("Transpose", 13), ("Gemm", 13), ("Round", 11), ("Sum", 8), ("Tanh", 13),
    ("Identity", 16), ("EyeLike", 9), ("ConstantOfShape", 9),
]  # fmt: skip
"""Each kind of reason in OURS once or twice."""


def theirs(operator: str, opset: int) -> AbstractContextManager[None]:
    return converted_by("theirs", operator, since_version(operator, "", opset))


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
    with theirs(operator, opset):
        module = assert_same(models.node(operator, inputs, opset=opset, constants=constants, **attributes), inputs)
    assert not any(part.training for part in module.modules())
    assert_gradients(module, inputs)


def test_a_weight_that_onnx2torch_copied_is_held_once() -> None:
    model = models.parse(
        "g (float[N,3,4,4] x) => (float[N,3,4,4] y) { a = Conv (x, w, b) y = Conv (a, w, b) }",
        {"w": R(0, 3, 3, 1, 1), "b": R(1, 3)},
    )
    with theirs("Conv", 17):
        module = onnxray.to_torch(model, trainable=True)
    assert module.layer("a").weight is module.layer("y").weight is module.get_parameter("w")
    assert set(dict(module.named_parameters())) == {"w", "b"}


@pytest.mark.parametrize(
    ("operator", "text", "shape"),
    [
        ("Conv", "g (float[N,3,4,4] x) => (float[N,2,4,4] y) { y = Conv (x, w) }", (2, 3, 1, 1)),
        ("Gemm", "g (float[N,4] x) => (float[N,3] y) { y = Gemm (x, w) }", (4, 3)),
    ],
)
def test_what_onnx2torch_makes_of_weights_does_not_train_unless_it_shall(
    operator: str, text: str, shape: tuple[int, ...]
) -> None:
    """The weight itself, or a copy that it turned."""
    with theirs(operator, 17):
        held = list(onnxray.to_torch(models.parse(text, {"w": R(0, *shape)}), verify=False).layer("y").parameters())
    assert held
    assert not any(parameter.requires_grad for parameter in held)


def test_a_failing_converter_is_refused_by_name() -> None:
    model = models.node("DepthToSpace", {"x": R(0, 1, 8, 2, 3)}, opset=13, blocksize=2)
    expected = "node 'only': operator DepthToSpace version 13 is not supported: its converter says NotImplementedError"
    with theirs("DepthToSpace", 13), pytest.raises(UnsupportedOperator, match=expected) as caught:
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
from support import models
onnxray.to_torch(models.parse('g (float[N] x) => (float[N] y) { y = Relu (x) }'), verify=False)
print('converted')
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
    converted, loaded, died = in_a_process(BROKEN + THROUGH_US + code).splitlines()[-3:]
    assert (converted, loaded) == ("converted", "[]")
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


def test_onnx2torch_is_imported_for_what_it_serves_alone() -> None:
    code = """
import onnxray
from support import models
for operator in ("Tanh", "Relu"):
    onnxray.to_torch(models.node(operator, {"x": models.random(0, 2, 3)}, opset=13), verify=False)
    print("onnx2torch" in sys.modules)
"""
    assert in_a_process(code).split() == ["False", "True"]


def test_every_converter_of_onnx2torch_serves_or_has_a_reason() -> None:
    served = [(operator, version) for operator, versions in SERVED.items() for version in versions]
    kept = [(operator, version) for operator, reasons in OURS.items() for vs in reasons.values() for version in vs]
    assert sorted(served + kept) == [pair for pair in known_converters() if pair[0] != "Constant"]
    assert not {("", *pair) for pair in served} & CONVERTERS.keys()
    assert {("", *pair) for pair in kept} <= CONVERTERS.keys()
    assert {reason.partition(":")[0] for reasons in OURS.values() for reason in reasons} <= set(KINDS)


@pytest.mark.parametrize(("operator", "version"), SLICE)
def test_the_reason_why_ours_is_kept_still_holds(operator: str, version: int) -> None:
    """Where this fails onnx2torch has become better: run ``benchmarks/converters.py``, and let it serve."""
    stated = next(reason for reason, versions in OURS[operator].items() if version in versions)
    finding = tried(operator, version, timed=stated.startswith("slower"))
    assert finding is not None
    assert finding.kind == stated.partition(":")[0]


def test_each_kind_of_reason_is_tried_again() -> None:
    def kinds(reasons: Mapping[str, tuple[int, ...]], version: int | None = None) -> set[str]:
        return {r.partition(":")[0] for r, versions in reasons.items() if version is None or version in versions}

    stated = set().union(*(kinds(reasons) for reasons in OURS.values()))
    assert set().union(*(kinds(OURS[operator], version) for operator, version in SLICE)) == stated


@pytest.mark.parametrize(("operator", "version"), [("Relu", 14), ("Sigmoid", 13), ("LeakyRelu", 16), ("Gather", 13)])
def test_what_serves_is_right(operator: str, version: int) -> None:
    assert version in SERVED[operator]
    assert tried(operator, version, timed=False) is None
