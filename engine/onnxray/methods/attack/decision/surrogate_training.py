"""A small network that learns what a model answers, as an ONNX file in memory: torch trains it, nothing else is needed.

    z = Gemm(Flatten(Relu(Conv(... Relu(Conv(x)))))),   3 x 3, stride 2, while more than 7 rows or columns are left

Adam (rate 1e-3, batches of 64) goes down the cross-entropy with the answers, which are probabilities; weights are drawn
as He et al. 2015 do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from onnxray.images.profile.profile import Profile
from onnxray.methods.run import Progress

_SMALL, _WIDEST = 7, 128
_RATE, _BATCH = 1e-3, 64
_FEWEST_LAYERS = 2


def profile_of(shape: tuple[int, int, int]) -> Profile:
    """How pixels enter it: (x - 127.5) / 127.5."""
    channels = shape[0]
    return Profile(
        name="surrogate", layout="NCHW", channels="GREY" if channels == 1 else "RGB", scale=1.0,
        mean=(127.5,) * channels, std=(127.5,) * channels, size=(shape[1], shape[2]), resize="stretch",
    )  # fmt: skip


def trained(
    images: NDArray[np.uint8], answers: NDArray[np.float64], *, width: int, epochs: int, random: np.random.Generator,
    progress: Progress,
) -> onnx.ModelProto:  # fmt: skip
    """The network for images (n, C, H, W), 8-bit, and the probabilities (n, classes) that it shall give for them."""
    import torch  # the list of methods imports this file
    from torch.nn import functional

    from onnxray.model.to_torch import to_torch

    shape = (int(images.shape[1]), int(images.shape[2]), int(images.shape[3]))
    proto = _drawn(shape, answers.shape[1], width, random)
    module, profile = to_torch(proto, trainable=True, verify=False), profile_of(shape)
    optimizer = torch.optim.Adam(module.parameters(), lr=_RATE)
    wanted = torch.from_numpy(answers.astype(np.float32))
    for epoch in range(epochs):
        order = random.permutation(len(images))
        for first in range(0, len(order), _BATCH):
            rows = order[first : first + _BATCH]
            x = profile.encode(torch.from_numpy(images[rows].astype(np.float32)))
            loss = functional.cross_entropy(module(x), wanted[torch.from_numpy(rows)])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        progress(epoch + 1, epochs, f"surrogate, epoch {epoch + 1}")
    learned = dict(module.named_parameters())
    for tensor in proto.graph.initializer:
        values: NDArray[Any] = learned[tensor.name].detach().numpy()
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))
    return proto


def _drawn(shape: tuple[int, int, int], classes: int, width: int, random: np.random.Generator) -> onnx.ModelProto:
    """Before the first step."""
    (channels, height, breadth), at = shape, "x"
    nodes, weights, layer = [], dict[str, NDArray[np.float32]](), 0
    while max(height, breadth) > _SMALL or layer < _FEWEST_LAYERS:
        wider = min(width * 2**layer, _WIDEST)
        weights[f"w{layer}"] = _weights(random, (wider, channels, 3, 3))
        weights[f"b{layer}"] = np.zeros(wider, np.float32)
        nodes.append(helper.make_node(
            "Conv", [at, f"w{layer}", f"b{layer}"], [f"c{layer}"], kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2]
        ))  # fmt: skip
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]))
        channels, height, breadth, at, layer = wider, -(-height // 2), -(-breadth // 2), f"r{layer}", layer + 1
    weights["w"] = _weights(random, (classes, channels * height * breadth))
    weights["b"] = np.zeros(classes, np.float32)
    nodes.append(helper.make_node("Flatten", [at], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", "w", "b"], ["logits"], transB=1))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "surrogate", [info("x", onnx.TensorProto.FLOAT, ["N", *shape])],
        [info("logits", onnx.TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _weights(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """N(0, 2 / inputs)."""
    return np.asarray(random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:])), np.float32)
