"""A step of training through the file beside one of torch's own module, one thread, medians of processor time.

    python benchmarks/training_speed.py

Of the bundled LeNet plain fine-tuning, and adversarial training with seven steps of PGD, in batches of 64; of ResNet-18
plain fine-tuning in batches of 8 of 224 x 224, its batch normalisations in the file, by their stored statistics in
both. Equal work: both step every weight by torch's SGD.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("engine", "models")]

import onnxray  # noqa: E402
from onnxray.graph.trainable.listing import chosen, constants_of  # noqa: E402
from onnxray.training.network import Network  # noqa: E402
from onnxray.training.perturbations import Perturbing  # noqa: E402
from onnxray.training.steps import Steps  # noqa: E402
from train_lenet import SCALE, LeNet  # noqa: E402

BATCH, EPS, STEPS = 64, 76.0, 7


def main() -> None:
    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(0)
    x, y = torch.rand(BATCH, 1, 28, 28, generator=random) * 255, torch.arange(BATCH) % 10
    model = onnxray.open("lenet")
    network = Network(model, chosen(constants_of(model.graph)))
    steps, native = Steps(network, "sgd", 1e-4, None), LeNet()
    optimizer = torch.optim.SGD(native.parameters(), 1e-4, momentum=0.9)
    own = Perturbing(values=network.values, logits="ip2", layers=(), eps=EPS, steps=STEPS, random=random)

    def ours(shown: torch.Tensor) -> None:
        steps.step(cross_entropy(network.values(shown, ["ip2"])["ip2"], y))

    def theirs(shown: torch.Tensor) -> None:
        optimizer.zero_grad()
        loss = cross_entropy(native(shown * SCALE), y)
        loss.backward()
        optimizer.step()

    def perturbed() -> torch.Tensor:
        d = (torch.rand(x.shape, generator=random) * 2 - 1) * EPS
        for _ in range(STEPS):
            point = (x + d).clamp(0, 255).detach().requires_grad_()
            (g,) = torch.autograd.grad(cross_entropy(native(point * SCALE), y), point)
            d = ((point + 2.5 * EPS / STEPS * g.sign()).clamp(0, 255) - x).clamp(-EPS, EPS)
        return (x + d).detach()

    say("LeNet, plain fine-tuning", lambda: ours(x), lambda: theirs(x), 30)
    say("LeNet, with PGD of 7 steps", lambda: ours(own.by("pgd", x, y)), lambda: theirs(perturbed()), 8)
    resnet()


class Block(nn.Module):
    """ResNet's basic block."""

    def __init__(self, wide: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(wide, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        same = stride == 1 and wide == width
        self.down = (
            None if same else nn.Sequential(nn.Conv2d(wide, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        return (y + (x if self.down is None else self.down(x))).relu()


def resnet18() -> nn.Module:
    """ResNet-18 of 1000 classes; weights seeded, in eval mode."""
    torch.manual_seed(0)
    blocks, wide = list[nn.Module](), 64
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [Block(wide, width, stride), Block(width, width, 1)]
        wide = width
    stem = (nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    net = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):  # numbers that are alike would be one tensor in the file
            for part in (norm.weight, norm.running_var):
                nn.init.uniform_(part, 0.5, 1.5)
            for part in (norm.bias, norm.running_mean):
                nn.init.normal_(part, std=0.1)
    return net.eval()


def resnet() -> None:
    """A step of ResNet-18 through its file, and one of the module that it was exported from."""
    native, x, y = resnet18(), torch.randn(8, 3, 224, 224, generator=torch.Generator().manual_seed(1)), torch.arange(8)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "resnet18.onnx"
        torch.onnx.export(
            native, (x,), path, dynamo=False, opset_version=17, output_names=["y"], do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
        )  # fmt: skip
        model = onnxray.open(path, inputs="arrays")
        network = Network(model, chosen(constants_of(model.graph)))
    steps = Steps(network, "sgd", 1e-4, None)
    optimizer = torch.optim.SGD(native.parameters(), 1e-4, momentum=0.9)
    numbers = [sum(one.numel() for one in parameters) for parameters in (network.parameters(), native.parameters())]
    assert numbers[0] == numbers[1], numbers

    def ours() -> None:
        steps.step(cross_entropy(network.values(x, ["y"])["y"], y))

    def theirs() -> None:
        optimizer.zero_grad()
        loss = cross_entropy(native(x), y)
        loss.backward()
        optimizer.step()

    say("ResNet-18, plain fine-tuning", ours, theirs, 9)


def say(what: str, ours: Callable[[], None], theirs: Callable[[], None], rounds: int) -> None:
    """The ratio of the medians, taken in turns."""
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for place, run in enumerate((ours, theirs)):
            begun = time.process_time()
            run()
            if turn:
                taken[place].append(time.process_time() - begun)
    medians = [float(np.median(part)) for part in taken]
    ours_, theirs_ = (f"{1000 * median:.0f}" for median in medians)
    print(f"{what}: {ours_} ms a step, torch's own {theirs_}; ratio {medians[0] / medians[1]:.2f}")


if __name__ == "__main__":
    main()
