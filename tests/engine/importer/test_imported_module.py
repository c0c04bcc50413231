"""Weights in a module: each once, by its ONNX name, whatever its nodes hold."""

import torch

import onnxray
from support import models

R = models.random


def test_a_weight_that_a_node_holds_too_goes_by_its_own_name() -> None:
    """torch names a shared tensor by where it meets it first: that is where the ONNX name says, in parts or in one."""
    weights = {"block.1.weight": R(0, 3, 3, 1, 1), "block.1.bias": R(1, 3), "w": R(2, 3, 3, 1, 1)}
    model = models.parse(
        "g (float[N,3,4,4] x) => (float[N,3,4,4] y) { a = Conv (x, p, q) y = Conv (a, w) }", {"w": weights["w"]}
    )
    for name, new in (("p", "block.1.weight"), ("q", "block.1.bias")):
        model.graph.initializer.append(models.numpy_helper.from_array(weights[new], new))
        inputs = model.graph.node[0].input
        inputs[list(inputs).index(name)] = new
    module = onnxray.to_torch(model, trainable=True)
    assert isinstance(module.layer("a"), torch.nn.Conv2d)
    assert module.layer("a").weight is module.get_parameter("block.1.weight")
    assert {name for name, _ in module.named_parameters()} == set(weights)
