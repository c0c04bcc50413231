"""SqueezeNet 1.1 written in torch by hand, with the weights of an ONNX file of it."""

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import nn


class Fire(nn.Module):
    """A squeeze convolution, and two expansions of it side by side."""

    def __init__(self, wide: int, narrow: int, out: int) -> None:
        super().__init__()
        self.squeeze, self.relu = nn.Conv2d(wide, narrow, 1), nn.ReLU()
        self.left, self.relu_left = nn.Conv2d(narrow, out, 1), nn.ReLU()
        self.right, self.relu_right = nn.Conv2d(narrow, out, 3, padding=1), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.squeeze(x))
        return torch.cat([self.relu_left(self.left(x)), self.relu_right(self.right(x))], 1)


def squeezenet(path: Path) -> nn.Sequential:
    """Logits, (N, 1000), of the network whose weights ``path`` holds; convolutions in the order of its nodes."""
    net = nn.Sequential(
        nn.Conv2d(3, 64, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        Fire(64, 16, 64), Fire(128, 16, 64), nn.MaxPool2d(3, 2),
        Fire(128, 32, 128), Fire(256, 32, 128), nn.MaxPool2d(3, 2),
        Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
        nn.Conv2d(512, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    graph = onnx.load(path).graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    theirs = [node for node in graph.node if node.op_type == "Conv"]
    ours = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    for node, layer in zip(theirs, ours, strict=True):
        layer.weight.data = torch.tensor(weights[node.input[1]])
        layer.bias.data = torch.tensor(weights[node.input[2]])
    return net.eval()
