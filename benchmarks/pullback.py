"""Pullback from early, middle and late values of VGG-16 against plain torch doing the same truncated work.

Both go from pixels (batch of 4, a numpy array) to the pixel gradient (a numpy array), encoding included. Plain torch
is a hand-written nn.Sequential with the same frozen weights, cut at the same layer; once as one writes it, once with
its weights and input in torch's channels_last layout, which the twin uses by itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import networks
import numpy as np
import torch
from measure import Row, Setting, print_rows, say, setting, side_by_side
from torch import nn

import onnxray

AIMS = {"conv1_2": 1.25, "conv3_3": 1.1, "conv5_3": 1.1, "fc7": 1.1, "fc8": 1.1}
BATCH = 4
LARGEST_DIFFERENCE = 0.02
"""Of the gradients, as a share of their norm: rounding flips a few ReLU and max-pool decisions of random weights."""


def main() -> None:
    with setting(__doc__) as chosen:
        print_rows(measure(chosen))


def measure(chosen: Setting) -> list[Row]:
    model = onnxray.open(chosen.network("vgg16"), "vgg-face")
    net = networks.vgg16()
    channels_last = copy.deepcopy(net).to(memory_format=torch.channels_last)
    mean = torch.tensor(model.profile.mean).view(1, 3, 1, 1)
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (BATCH, 3, networks.SIZE, networks.SIZE)).astype(np.float32)
    rows = []
    for name, aim in AIMS.items():
        cotangent = generator.standard_normal((BATCH, *shape_of(net, name))).astype(np.float32)
        ours = lambda: model.pullback(x, {name: cotangent})  # noqa: B023, E731
        plain = by_torch(net, name, x, mean, cotangent, torch.contiguous_format)
        other = by_torch(channels_last, name, x, mean, cotangent, torch.channels_last)
        check_equal(name, ours(), plain())
        rounds = chosen.rounds(15 if name == "conv1_2" else 9)
        rows.append(side_by_side(f"pullback from {name}", "plain torch", ours, plain, rounds=rounds, aim=aim))
        against = "plain torch, channels_last"
        rows.append(side_by_side(f"pullback from {name}", against, ours, other, rounds=rounds, aim=None))
    return rows


def by_torch(
    net: nn.Sequential,
    name: str,
    x: np.ndarray,
    mean: torch.Tensor,
    cotangent: np.ndarray,
    layout: torch.memory_format,
) -> Callable[[], np.ndarray]:
    """The same work by hand: BGR minus mean, the network up to ``name``, and back."""
    cut = net[: list(dict(net.named_children())).index(name) + 1]

    def run() -> np.ndarray:
        pixels = torch.from_numpy(x).requires_grad_()
        value = cut((pixels.flip(1) - mean).contiguous(memory_format=layout))
        return torch.autograd.grad(value, pixels, torch.from_numpy(cotangent))[0].numpy()

    return run


def shape_of(net: nn.Sequential, name: str) -> tuple[int, ...]:
    x = torch.zeros(1, 3, networks.SIZE, networks.SIZE)
    with torch.no_grad():
        for layer_name, layer in net.named_children():
            x = layer(x)
            if layer_name == name:
                break
    return tuple(x.shape[1:])


def check_equal(name: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    difference = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
    say(f"  {name}: the gradients differ by {difference:.1e} of their norm")
    if difference > LARGEST_DIFFERENCE:
        raise SystemExit(f"pullback from {name}: the two sides do not do the same work")


if __name__ == "__main__":
    main()
