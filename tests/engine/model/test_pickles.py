"""A module of ``to_torch`` pickled: torch.fx reads its source again, and looks into no function of ours."""

import copy
import pickle

import numpy as np
import onnx
import pytest
import torch

import onnxray
from support import models

FIXED = """g (float[2,1,6,6] x) => (float[2,3] y) {
  c = Conv <kernel_shape = [3, 3]> (x, w)
  s = Constant <value = int64[3] {2, 16, 3}> ()
  r = Reshape (c, s)
  t = Transpose <perm = [2, 0, 1]> (r)
  m = ReduceMax <axes = [2], keepdims = 0> (t)
  y = Transpose <perm = [1, 0]> (m)
}"""
CARRIED = """g (float[N,4] x) => (uint8[N,4] y) { q = QuantizeLinear (x, s, z) y = Reshape (q, to) }"""


def fixed() -> onnx.ModelProto:
    return models.parse(FIXED, {"w": models.random(0, 3, 1, 3, 3)})


def carried() -> onnx.ModelProto:
    constants = {"s": np.float32(0.1), "z": np.uint8(3), "to": np.int64([-1, 4])}
    return models.parse(CARRIED, constants)


@pytest.mark.parametrize(("model", "shape"), [(fixed, (6, 1, 6, 6)), (carried, (3, 4)), (models.lenet, (2, 1, 14, 14))])
def test_a_module_comes_back_from_a_pickle(model: object, shape: tuple[int, ...]) -> None:
    assert callable(model)
    module = onnxray.to_torch(model())
    x = torch.from_numpy(models.random(5, *shape))
    expected = module(x)
    for other in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert torch.equal(other(x), expected)
        assert [n.op for n in other.graph.nodes] == [n.op for n in module.graph.nodes]
        again = pickle.loads(pickle.dumps(other))
        assert torch.equal(again(x), expected)
