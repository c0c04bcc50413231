"""The ascent of feature visualisation against the bare forward and backward passes that it is made of, in torch.

ResNet-50 with random weights at 224 pixels. Grid: 64 channels of a convolution in the second stage climbed at once with
lucid's preset; the alternative runs the native network forward and backward on the same number of images, once a step,
and does nothing else. Single: one image, preset plain, against the twin's own forward and backward passes: what the
loop adds. That depends on the C library, too: in a process that climbs one image alone glibc was seen to give the top
of the heap back at every step (2,000 page faults a step), which makes it 1.22; with its trimming off it is 1.06 there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import networks
import numpy as np
import torch
from measure import Row, Setting, print_rows, setting, side_by_side

import onnxray
from onnxray.methods.run import Run
from onnxray.methods.synthesis.ascent.loop import climb
from onnxray.methods.synthesis.parts.maximize_presets import MaximizeSetting, maximize_recipe
from onnxray.objectives.target_lists import channels_of

VALUE, BLOCK = "block3.conv1", 3
GRID_STEPS, STEPS = 3, 16


def main() -> None:
    with setting(__doc__) as chosen:
        print_rows(measure(chosen))


def measure(chosen: Setting) -> list[Row]:
    model = onnxray.open(chosen.network("resnet50"), "torchvision")
    net = networks.resnet50()
    count = 16 if chosen.quick else 64
    grid = side_by_side(
        f"grid of {count} channels, 3 steps", "native torch, forward and backward",
        climbing(model, "lucid", count, GRID_STEPS), native(net, count), rounds=chosen.rounds(5), aim=1.3,
    )  # fmt: skip
    single = side_by_side(
        "one image, 16 steps", "the twin, forward and backward", climbing(model, "plain", 1, STEPS), bare(model),
        rounds=chosen.rounds(11), aim=1.05,
    )  # fmt: skip
    whole = side_by_side(
        "one image, lucid, 16 steps", "the twin, forward and backward", climbing(model, "lucid", 1, STEPS), bare(model),
        rounds=chosen.rounds(11), aim=None,
    )  # fmt: skip
    return [grid, single, whole]


def climbing(model: onnxray.Model, preset: str, count: int, steps: int) -> Callable[[], object]:
    """Steps of a preset; the first one's check that a gradient is there is a backward pass of its own."""
    objective = channels_of(model, VALUE, f"0-{count - 1}", "mean")
    made = maximize_recipe(MaximizeSetting(preset=preset, shape=model.profile.shape, mean=model.profile.mean_colour))
    plan = dataclasses.replace(made.stages[0], steps=steps, redirected=0)
    return lambda: climb(model, objective, plan, Run(np.random.default_rng(0), lambda *_: None, []), count=count)


def native(net: networks.ResNet50, count: int) -> Callable[[], object]:
    """The network as one writes it, up to the same value, on noise."""
    cut = torch.nn.Sequential(net.conv1, net.relu, net.pool, *net.blocks[:BLOCK], net.blocks[BLOCK].conv1)
    x = torch.randn(count, 3, networks.SIZE, networks.SIZE, requires_grad=True)
    place = torch.arange(count)

    def run() -> None:
        for _ in range(GRID_STEPS):
            torch.autograd.grad(cut(x)[place, place].mean((1, 2)).sum(), x)

    return run


def bare(model: onnxray.Model) -> Callable[[], object]:
    """The twin's passes for one image, and the backward pass of the check."""
    function = model.twin.differentiable((VALUE,))
    x = (127.5 + 10 * torch.randn(1, *model.profile.shape)).requires_grad_()

    def run() -> None:
        for step in range(STEPS):
            score = function(x)[VALUE][:, 0].mean()
            if step == 0:
                torch.autograd.grad(score, x, retain_graph=True)
            torch.autograd.grad(score, x)

    return run


if __name__ == "__main__":
    main()
