"""A step of training through the file beside one of torch's own module: the bundled LeNet, one thread.

    python benchmarks/training_speed.py

Plain fine-tuning, and adversarial training with seven steps of PGD; equal work, batches of 64; medians of processor
time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
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

    say("plain fine-tuning", lambda: ours(x), lambda: theirs(x), 30)
    say("with PGD of 7 steps", lambda: ours(own.by("pgd", x, y)), lambda: theirs(perturbed()), 8)


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
