"""BatchNormalization's gradient, whatever strides the gradient that comes in has; torch's own is wrong for some."""

import numpy as np
import pytest
import torch

import onnxray
from support import models

CHANNELS, SIDE = 8, 6
CONSTANTS = {
    "scale": models.random(1, CHANNELS), "bias": models.random(2, CHANNELS), "mean": models.random(3, CHANNELS),
    "variance": np.abs(models.random(4, CHANNELS)) + 0.5,
}  # fmt: skip
STRIDES = [
    (CHANNELS * SIDE * SIDE, SIDE * SIDE, SIDE, 1), (CHANNELS * SIDE * SIDE, 1, CHANNELS * SIDE, CHANNELS),
    (CHANNELS, 1, CHANNELS * SIDE, CHANNELS), (1, SIDE * SIDE, SIDE, 1),
]  # fmt: skip


def strided(array, strides):
    tensor = torch.empty_strided(array.shape, strides)
    return tensor.copy_(torch.from_numpy(array))


@pytest.mark.parametrize("computed", [False, True])
@pytest.mark.parametrize("coming", STRIDES)
@pytest.mark.parametrize("going", STRIDES)
def test_gradient_is_cotangent_times_factor(going, coming, computed):
    x, cotangent = models.random(0, 1, CHANNELS, SIDE, SIDE), models.random(5, 1, CHANNELS, SIDE, SIDE)
    feeds, constants = ({"x": x} | CONSTANTS, None) if computed else ({"x": x}, CONSTANTS)
    model = models.node("BatchNormalization", feeds, opset=15, constants=constants)
    variable = strided(x, going).requires_grad_()
    others = [torch.from_numpy(array) for array in CONSTANTS.values()] if computed else []
    y = onnxray.to_torch(model, verify=False)(variable, *others)
    np.testing.assert_allclose(y.detach().numpy(), models.run(model, feeds)[0], rtol=1e-5, atol=1e-6)
    gradient = torch.autograd.grad(y, variable, strided(cotangent, coming))[0]
    factor = CONSTANTS["scale"] / np.sqrt(CONSTANTS["variance"] + 1e-5)
    np.testing.assert_allclose(gradient.numpy(), cotangent * factor[:, None, None], rtol=1e-5, atol=1e-6)


def test_of_a_node_behind_transpose_and_matmul():
    """What stands in lambda networks: the sum over rows of a matrix product with BN's output, transposed."""
    text = f"""
    net (float[N,{CHANNELS},{SIDE},{SIDE}] x) => (float[N,4,{CHANNELS}] y) {{
      normal = BatchNormalization (x, scale, bias, mean, variance)
      flat = Reshape (normal, shape)
      turned = Transpose <perm = [0, 2, 1]> (flat)
      y = MatMul (left, turned)
    }}
    """
    left, shape = models.random(6, 1, 4, SIDE * SIDE), np.array([-1, CHANNELS, SIDE * SIDE])
    model = models.parse(text, {**CONSTANTS, "left": left, "shape": shape})
    x = torch.from_numpy(models.random(0, 1, CHANNELS, SIDE, SIDE)).requires_grad_()
    cotangent = models.random(7, 1, 4, CHANNELS)
    gradient = torch.autograd.grad(onnxray.to_torch(model)(x), x, torch.from_numpy(cotangent))[0]
    factor = CONSTANTS["scale"] / np.sqrt(CONSTANTS["variance"] + 1e-5)
    expected = np.einsum("nrp,nrc,c->ncp", left, cotangent, factor).reshape(x.shape)
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-4, atol=1e-5)
