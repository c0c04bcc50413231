"""Elementary functions, activations and reductions: values by ONNX Runtime, gradients by differences in float64."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import onnxray
from support import models

ACTIVATIONS = {
    "Relu": [{}], "LeakyRelu": [{}, {"alpha": 0.3}], "Elu": [{}, {"alpha": 0.3}], "Celu": [{}, {"alpha": 0.3}],
    "Selu": [{}, {"alpha": 0.3, "gamma": 2.0}], "Sigmoid": [{}], "Tanh": [{}], "HardSwish": [{}],
    "HardSigmoid": [{}, {"alpha": 0.3, "beta": 0.4}, {"alpha": 1 / 6, "beta": 0.5}],
    "Softplus": [{}], "Softsign": [{}], "ThresholdedRelu": [{}, {"alpha": 0.3}], "Mish": [{}],
    "Shrink": [{}, {"lambd": 1.0, "bias": 0.7}], "Gelu": [{}, {"approximate": "tanh"}],
}  # fmt: skip


def versions(operator):
    found = {schema.since_version for schema in onnx.defs.get_all_schemas_with_history() if schema.name == operator}
    return sorted({max(version, 7) for version in found if version <= 22})


@pytest.mark.parametrize("operator", ACTIVATIONS)
def test_activations_of_every_version(operator):
    x = models.random(0, 4, 50, scale=3)
    for version in versions(operator):
        for attributes in ACTIVATIONS[operator]:
            model = models.node(operator, {"x": x}, opset=version, **attributes)
            try:
                want = models.run(model, {"x": x})[0]
            except Exception:
                assert version == 22  # newer than the operator's kernel in ONNX Runtime
                continue
            got = onnxray.to_torch(model, verify=False)(torch.from_numpy(x))
            np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("operator", "module"), [("Relu", nn.ReLU), ("Sigmoid", nn.Sigmoid), ("Gelu", nn.GELU), ("Softmax", nn.Softmax)]
)
def test_hook_based_tools_find_the_modules_that_they_know(operator, module):
    x = models.random(0, 2, 3)
    twin = onnxray.to_torch(models.node(operator, {"x": x}, opset=20), verify=False)
    assert any(isinstance(part, module) for part in twin.modules())


def test_prelu_with_a_slope_of_any_shape():
    x = models.random(0, 2, 3, 4, 5)
    for shape in ((1,), (3, 1, 1), (1, 3, 1, 1), (5,), (4, 1), (3, 4, 5), (1, 1, 1)):
        slope = models.random(1, *shape)
        for inputs, constants in (({"x": x, "s": slope}, {}), ({"x": x}, {"s": slope})):
            for version in (7, 9, 16):
                model = models.node("PRelu", inputs, constants=constants, opset=version)
                got = onnxray.to_torch(model, verify=False)(*map(torch.from_numpy, inputs.values()))
                np.testing.assert_allclose(got.detach().numpy(), np.where(x < 0, x * slope, x), rtol=1e-6)
    slope = models.random(1, 3)  # version 6 knows one slope a channel
    model = models.node("PRelu", {"x": x, "s": slope}, opset=6)
    got = onnxray.to_torch(model, verify=False)(torch.from_numpy(x), torch.from_numpy(slope))
    np.testing.assert_allclose(got.numpy(), np.where(x < 0, x * slope[:, None, None], x), rtol=1e-6)


SMOOTH = [
    ("Pow", {}, (3,)), ("Div", {}, (3,)), ("Mod", {"fmod": 1}, (3,)), ("Max", {}, (3,)), ("Mean", {}, (3,)),
    ("PRelu", {}, (3,)), ("Det", {}, None), ("ReduceProd", {"axes": [0, 1]}, None), ("ReduceL2", {}, None),
    ("ReduceLogSumExp", {"axes": [1]}, None), ("ReduceLogSum", {}, None), ("ReduceMax", {"axes": [0]}, None),
    ("ReduceL1", {}, None), ("ReduceSumSquare", {}, None), ("ReduceMean", {"axes": [-1]}, None),
    ("Softmax", {"axis": 0}, None), ("LogSoftmax", {"axis": 1}, None), ("Shrink", {"bias": 0.3}, None),
    ("HardSigmoid", {}, None), ("Selu", {"alpha": 0.3}, None), ("Clip", {}, None), ("Erf", {}, None),
    ("Reciprocal", {}, None), ("Acosh", {}, None), ("Unique", {"sorted": 0}, None), ("Unique", {"axis": 1}, None),
    ("TopK", {"k": 2}, None), ("Floor", {}, None), ("Sign", {}, None), ("Cast", {"to": 11}, None),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "attributes", "other"), SMOOTH, ids=lambda value: str(value))
def test_gradients_by_differences(operator, attributes, other):
    rng = np.random.default_rng(3)
    x = rng.uniform(1.1, 3, (3, 3)) * np.where((operator in {"PRelu", "Shrink"}) & (rng.random((3, 3)) < 0.5), -1, 1)
    inputs = {"x": x} if other is None else {"x": x, "y": rng.uniform(0.6, 1.4, other)}
    opset = {"TopK": 9}.get(operator, 12)
    model = models.node(operator, inputs, opset=opset, outputs=2 if operator == "TopK" else 1, **attributes)
    if operator == "TopK":
        del model.graph.output[1:]
    twin = onnxray.to_torch(model, verify=False)
    tensors = [torch.from_numpy(array).requires_grad_() for array in inputs.values()]
    assert torch.autograd.gradcheck(lambda *values: twin(*values), tensors)


def test_a_masked_row_of_attention_has_no_gradient():
    model = models.parse("""
        g (double[2,3] x, bool[2,3] mask) => (double[2,3] y) {
            low = Constant <value = double {-inf}> ()
            zero = Constant <value = double {0}> ()
            masked = Where (mask, x, low)
            p = Softmax <axis = -1> (masked)
            empty = IsNaN (p)
            y = Where (empty, zero, p)
        }
    """)
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    twin = onnxray.to_torch(model, verify=False)
    assert twin(x, mask)[1].tolist() == [0, 0, 0]
    assert torch.autograd.gradcheck(lambda values: twin(values, mask), x)


def test_cumulative_gradients_with_zeros_among_the_numbers():
    x = torch.tensor([[1.5, 0.0, 2.0, -1.0]], dtype=torch.float64, requires_grad=True)
    for operator, opset in (("CumProd", 26), ("CumSum", 14)):
        for flags in ({}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}):
            inputs = {"x": x.detach().numpy()}
            model = models.node(operator, inputs, constants={"axis": np.array(1)}, opset=opset, **flags)
            assert torch.autograd.gradcheck(onnxray.to_torch(model, verify=False), x)


def test_rounding_is_straight_through_and_its_values_are_not():
    x = torch.tensor([0.5, 1.5, -2.5, 3.2], dtype=torch.float64, requires_grad=True)
    model = models.node("Round", {"x": x.detach().numpy()}, opset=11)
    y = onnxray.to_torch(model, verify=False)(x)
    assert y.tolist() == [0, 2, -2, 3]
    (gradient,) = torch.autograd.grad((y * torch.arange(4)).sum(), x)
    assert gradient.tolist() == [0, 1, 2, 3]
