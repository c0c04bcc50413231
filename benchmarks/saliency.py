"""Saliency maps against the reference libraries on the native torch network.

ResNet-50 of timm with random weights, 224 x 224: the peers are given timm's own module in eval mode behind the
preprocessing, as their users do; onnxray the file that torch's exporter writes of it. Both go from grey levels (a numpy
array) to the map (a numpy array). Needs timm and the peers; a case whose peer is not installed is left out.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import networks
import numpy as np
import torch
from measure import Row, Setting, print_rows, say, setting, side_by_side
from torch import nn

import onnxray
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.gradients import gradient

PROFILE = "torchvision"
LARGEST_DIFFERENCE = 0.02
"""Of the maps, as a share of their norm: rounding flips a few ReLU decisions of random weights."""


@dataclass(frozen=True)
class Bench:
    """The same network on both sides."""

    model: onnxray.Model
    native: nn.Module

    def images(self, count: int) -> np.ndarray:
        """Grey levels, NCHW."""
        generator = np.random.default_rng(0)
        return generator.integers(0, 256, (count, 3, networks.SIZE, networks.SIZE)).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """One comparison. sides: bench -> (our work, theirs), each giving the maps. aim: the largest ratio wished for."""

    work: str
    against: str
    package: str
    sides: Callable[[Bench], tuple[Callable[[], Any], Callable[[], Any]]]
    rounds: int
    aim: float | None


class OfPixels(nn.Module):
    """timm's module behind the preprocessing."""

    def __init__(self, net: nn.Module, profile: onnxray.Profile) -> None:
        super().__init__()
        self.net, self.profile = net, profile

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.net(self.profile.encode(pixels))


def gradients(bench: Bench, *, whole: bool) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The gradient of eight classes' logits; ``whole``: with ours, the judge's verdict as well."""
    from captum.attr import Saliency

    x = bench.images(8)
    classes = bench.model.predict(x).classes
    pixels = bench.model.pixels(x)
    objective = ClassScore(bench.model.aliases["logits"], classes)
    method, explain, targets = Gradient(), Saliency(bench.native), torch.from_numpy(classes)

    def ours() -> np.ndarray:
        if whole:
            return np.stack([item.heat for item in method(bench.model, x).items])
        return np.abs(gradient(bench.model, pixels, objective)).max(1)

    def theirs() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of inputs whose gradient it switches on
            return explain.attribute(torch.from_numpy(x.copy()), target=targets).amax(1).numpy()

    return ours, theirs


CASES = (
    Case("gradient, batch 8", "captum Saliency", "captum", lambda b: gradients(b, whole=False), 11, 1 / 1.3),
    Case("gradient, batch 8, with the judge's verdict", "captum Saliency", "captum",
         lambda b: gradients(b, whole=True), 5, None),
)  # fmt: skip


def main() -> None:
    with setting(__doc__) as chosen:
        print_rows(measure(chosen))


def measure(chosen: Setting) -> list[Row]:
    missing = sorted({p for p in ("timm", *(c.package for c in CASES)) if importlib.util.find_spec(p) is None})
    if missing:
        say(f"  left out: {', '.join(missing)} not installed")
    cases = [case for case in CASES if case.package not in missing and "timm" not in missing]
    if not cases:
        return []
    model = onnxray.open(chosen.network("timm_resnet50"), PROFILE)
    assert model.profile is not None
    bench = Bench(model, OfPixels(networks.timm_resnet50(), model.profile))
    rows = []
    for case in cases:
        ours, theirs = case.sides(bench)
        check_equal(case.work, ours(), theirs())
        rounds = chosen.rounds(case.rounds)
        rows.append(side_by_side(case.work, case.against, ours, theirs, rounds=rounds, aim=case.aim))
    return rows


def check_equal(name: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    difference = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
    say(f"  {name}: the maps differ by {difference:.1e} of their norm")
    if difference > LARGEST_DIFFERENCE:
        raise SystemExit(f"{name}: the two sides do not do the same work")


if __name__ == "__main__":
    main()
