"""VGG-16 of VGG Face's size and ResNet-50 with random weights: plain torch as one writes it by hand, and as ONNX files.

python benchmarks/networks.py vgg16|resnet50|timm_resnet50 FILE
"""

from __future__ import annotations

import argparse
import contextlib
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

CLASSES = 2622
VGG_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
RESNET_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
SIZE = 224
_KEPT: list[torch.library.Library] = []
"""Schemas are gone with the library that defines them."""


def vgg16() -> nn.Sequential:
    """VGG Face under its Caffe names; frozen, in eval mode. Pixels minus mean go in, probabilities come out."""
    torch.manual_seed(0)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for block, (width, count) in enumerate(VGG_BLOCKS, 1):
        for index in range(1, count + 1):
            layers[f"conv{block}_{index}"] = nn.Conv2d(channels, width, 3, padding=1)
            layers[f"relu{block}_{index}"] = nn.ReLU()
            channels = width
        layers[f"pool{block}"] = nn.MaxPool2d(2, 2)
    layers["flat"] = nn.Flatten()
    for index, (wide, width) in enumerate(((512 * 49, 4096), (4096, 4096), (4096, CLASSES)), 6):
        layers[f"fc{index}"] = nn.Linear(wide, width)
        if index < 8:
            layers[f"relu{index}"] = nn.ReLU()
    layers["prob"] = nn.Softmax(1)
    return _random(nn.Sequential(layers), first="conv1_1")


class Bottleneck(nn.Module):
    """ResNet's block, version 1.5, its batch normalisations folded into the convolutions."""

    def __init__(self, wide: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(wide, width, 1)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1)
        self.conv3 = nn.Conv2d(width, 4 * width, 1)
        self.relu = nn.ReLU()
        self.downsample = nn.Conv2d(wide, 4 * width, 1, stride) if stride > 1 or wide != 4 * width else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv3(self.relu(self.conv2(self.relu(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    """ResNet-50 for inference; logits of 1000 classes come out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu, self.pool = nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        blocks, wide = [], 64
        for stage, (width, count) in enumerate(RESNET_STAGES):
            for index in range(count):
                blocks.append(Bottleneck(wide, width, 2 if stage and not index else 1))
                wide = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.average, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(wide, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.pool(self.relu(self.conv1(x))))
        return self.fc(self.average(x).flatten(1))


def resnet50() -> ResNet50:
    """Frozen, in eval mode; the last convolution of each branch is small, as training leaves it, but not zero."""
    torch.manual_seed(0)
    net = _random(ResNet50(), first=None)
    for block in net.blocks:
        block.conv3.weight.mul_(0.2)
    return net


def _random(net: nn.Module, first: str | None) -> nn.Module:
    """He's weights; those of ``first`` are divided by 64, so that pixels of +-128 become values of about 1."""
    for name, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.normal_(layer.bias, std=0.01)
            if name == first:
                layer.weight.data.div_(64)
    return net.eval().requires_grad_(False)


_OPERATORS = {nn.ReLU: "Relu", nn.Flatten: "Flatten", nn.Softmax: "Softmax", nn.AdaptiveAvgPool2d: "GlobalAveragePool"}


class _Writer:
    """An ONNX graph in the making; every method adds a node and gives the name of its value."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, name: str, layer: nn.Module, x: str) -> str:
        if isinstance(layer, nn.Conv2d):
            return self._weighted("Conv", name, layer, x, kernel_shape=list(layer.kernel_size),
                                  strides=list(layer.stride), pads=[*layer.padding, *layer.padding])  # fmt: skip
        if isinstance(layer, nn.Linear):
            return self._weighted("Gemm", name, layer, x, transB=1)
        if isinstance(layer, nn.MaxPool2d):
            sides = ([value] * 2 for value in (layer.kernel_size, layer.stride))
            return self.node("MaxPool", name, [x], **dict(zip(("kernel_shape", "strides"), sides)),
                             pads=[layer.padding] * 4)  # fmt: skip
        return self.node(_OPERATORS[type(layer)], name, [x])

    def node(self, operator: str, name: str, inputs: list[str], **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def _weighted(self, operator: str, name: str, layer: nn.Conv2d | nn.Linear, x: str, **attributes: object) -> str:
        for part in ("weight", "bias"):
            array = np.asarray(getattr(layer, part))
            self.weights.append(numpy_helper.from_array(array, f"{name}.{part}"))
        return self.node(operator, name, [x, f"{name}.weight", f"{name}.bias"], **attributes)

    def save(self, path: Path, output: str, classes: int) -> None:
        ends = [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", 3, SIZE, SIZE]),
                helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", classes])]  # fmt: skip
        graph = helper.make_graph(self.nodes, path.stem, ends[:1], ends[1:], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, path)


def write_vgg16(path: Path) -> None:
    """The ONNX file of ``vgg16()``, 580 MB."""
    writer, x = _Writer(), "data"
    for name, layer in vgg16().named_children():
        x = writer.add(name, layer, x)
    writer.save(path, x, CLASSES)


def write_resnet50(path: Path) -> None:
    """The ONNX file of ``resnet50()``, 102 MB."""
    net, writer, x = resnet50(), _Writer(), "data"
    for name in ("conv1", "relu", "pool"):
        x = writer.add(name, getattr(net, name), x)
    for index, block in enumerate(net.blocks):
        y = x
        for name in ("conv1", "conv2", "conv3"):
            y = writer.add(f"block{index}.{name}", getattr(block, name), y)
            if name != "conv3":
                y = writer.add(f"block{index}.{name}.relu", block.relu, y)
        if block.downsample is not None:
            x = writer.add(f"block{index}.downsample", block.downsample, x)
        total = writer.node("Add", f"block{index}.sum", [y, x])
        x = writer.add(f"block{index}.relu", block.relu, total)
    x = writer.node("Flatten", "flat", [writer.add("average", net.average, x)])
    writer.save(path, writer.add("fc", net.fc, x), 1000)


def define_torchvision_operators() -> None:
    """A torchvision whose binary does not fit torch dies at import without them."""
    with contextlib.suppress(RuntimeError):  # they are there
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)


def timm_resnet50() -> nn.Module:
    """timm's own ResNet-50 in eval mode, as its users load it; weights seeded, statistics as after training."""
    define_torchvision_operators()
    import timm

    torch.manual_seed(0)
    net = timm.create_model("resnet50", zero_init_last=False)
    norms = [part for part in net.modules() if isinstance(part, nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.weight.uniform_(0.5, 1.0)
            norm.bias.normal_(std=0.1)
            norm.momentum = None
        net.train()(torch.randn(8, 3, SIZE, SIZE))
    return net.eval()


def write_timm_resnet50(path: Path) -> None:
    """The ONNX file of ``timm_resnet50()``, by torch's exporter, its batch free, 102 MB."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            timm_resnet50(), (torch.zeros(2, 3, SIZE, SIZE),), path, dynamo=False, opset_version=17,
            input_names=["data"], output_names=["logits"], dynamic_axes={"data": {0: "N"}, "logits": {0: "N"}},
        )  # fmt: skip


WRITERS = {"vgg16": write_vgg16, "resnet50": write_resnet50, "timm_resnet50": write_timm_resnet50}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=WRITERS)
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    WRITERS[arguments.network](arguments.file)


if __name__ == "__main__":
    main()
