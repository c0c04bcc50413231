"""Forward and input gradient of converted networks against the same networks native in torch.

ResNet-50, VGG-16 and ViT-tiny of timm with random weights, in eval mode and frozen, exported by torch with a free
batch: by its newer exporter (opset 20), which writes ResNet-50's batch normalisations into its convolutions; ResNet-50
also as it is, and ViT-tiny also by the older exporter (opset 17), which writes GELU, attention and every shape out. All
go from pixels (a numpy array) to the pixel gradient (a numpy array), encoding included; native is the very network that
was exported, eager, as one writes it. The gradients are compared first.

Needs timm: pip install "onnxray[bench]".
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from measure import Row, Setting, print_rows, say, setting, side_by_side
from torch import nn

import onnxray
from onnxray.images.profile.profile import Profile

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))
import exporting

FILES = (
    ("ResNet-50", "resnet50", "newer"),
    ("ResNet-50 with its batch normalisations", "resnet50", "whole"),
    ("VGG-16", "vgg16", "newer"),
    ("ViT-tiny", "vit_tiny_patch16_224", "newer"),
    ("ViT-tiny by the older exporter", "vit_tiny_patch16_224", "older"),
)
BATCHES = {1: 15, 8: 9}
"""Batch -> rounds."""
SIDE = 224
LARGEST_DIFFERENCE = 0.02
"""Of the gradients, as a share of their norm: rounding flips a few ReLU and max-pool decisions of random weights."""
PROFILE = Profile(
    name="bench", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.5,) * 3, std=(0.25,) * 3, size=(SIDE, SIDE)
)


def main() -> None:
    with setting(__doc__) as chosen:
        print_rows(measure(chosen))


def measure(chosen: Setting) -> list[Row]:
    rows = []
    for title, name, exporter in FILES:
        net = exporting.calibrated(exporting.timm_network(name), (SIDE, SIDE)).requires_grad_(False)
        path = chosen.folder / f"{name}-{exporter}.onnx"
        if not path.exists():
            say(f"  exporting {path.name}")
            with exporting.quiet():
                export(net, exporter, path)
        model = onnxray.open(path, PROFILE)
        output = model.graph.outputs[0].name
        converted = onnxray.to_torch(path, fused=True)
        for batch, rounds in BATCHES.items():
            generator = np.random.default_rng(batch)
            x = generator.integers(0, 256, (batch, 3, SIDE, SIDE)).astype(np.float32)
            cotangent = generator.standard_normal((batch, exporting._CLASSES)).astype(np.float32)
            native = by_torch(net, x, cotangent)
            sides = {
                "pullback": lambda: model.pullback(x, {output: cotangent}),  # noqa: B023
                "to_torch, fused": by_torch(converted, x, cotangent),
            }
            for side, ours in sides.items():
                work = f"{title}, batch of {batch}: {side}"
                check_equal(work, ours(), native())
                rows.append(side_by_side(work, "native torch", ours, native, rounds=chosen.rounds(rounds), aim=1.0))
    return rows


def export(net: nn.Module, exporter: str, path: Path) -> None:
    """Write the file, with a free batch."""
    x = torch.zeros(2, 3, SIDE, SIDE)
    if exporter == "newer":
        free = ({0: torch.export.Dim("N")},)
        program = torch.onnx.export(net, (x,), dynamo=True, opset_version=20, dynamic_shapes=free, verbose=False)
        program.save(path, external_data=False)
        return
    whole = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False} if exporter == "whole" else {}
    torch.onnx.export(
        net, (x,), path, dynamo=False, opset_version=17, input_names=["x"], dynamic_axes={"x": {0: "N"}}, **whole
    )


def by_torch(net: nn.Module, x: np.ndarray, cotangent: np.ndarray) -> Callable[[], np.ndarray]:
    """The same work by hand: encode, run, and back."""
    scale, mean, std = PROFILE.scale, PROFILE.mean[0], PROFILE.std[0]

    def run() -> np.ndarray:
        pixels = torch.from_numpy(x).requires_grad_()
        value = net((pixels * scale - mean) / std)
        return torch.autograd.grad(value, pixels, torch.from_numpy(cotangent))[0].numpy()

    return run


def check_equal(work: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    difference = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
    say(f"  {work}: the gradients differ by {difference:.1e} of their norm")
    if difference > LARGEST_DIFFERENCE:
        raise SystemExit(f"{work}: the two sides do not do the same work")


if __name__ == "__main__":
    main()
