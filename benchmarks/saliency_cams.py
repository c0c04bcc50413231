"""Grad-CAM at the last stage (layer4) of ResNet-50 against pytorch-grad-cam on the network itself.

Both go from pixels (a numpy array) and a class for each image to maps of the picture's size (a numpy array); equality
is checked after ours are scaled to [0, 1] as theirs are. pytorch-grad-cam is given the torch module as one has it,
weights trainable: it reads the gradient of an activation, which a frozen network has not. "The whole call" is
`GradCAM(...)(model, images)`: ONNX Runtime's verdict on the images and the score that is explained on top of the maps;
pictures are drawn when they are looked at.
"""

from __future__ import annotations

import importlib.util
import warnings

import networks
import numpy as np
import torch
from measure import Row, Setting, print_rows, say, setting, side_by_side
from torch import nn

import onnxray
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run, silent
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from onnxray.objectives.class_score import ClassScore

AIM = 0.4
LARGEST_DIFFERENCE = 1e-3
VALUE, BLOCK = "block15.relu", 15


class Behind(nn.Module):
    """The network, fed with pixels."""

    def __init__(self, net: nn.Module, mean: torch.Tensor) -> None:
        super().__init__()
        self.net, self.mean = net, mean

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.net(pixels.flip(1) - self.mean)


def main() -> None:
    with setting(__doc__) as chosen:
        print_rows(measure(chosen))


def measure(chosen: Setting) -> list[Row]:
    if importlib.util.find_spec("pytorch_grad_cam") is None:
        say("  left out: pytorch_grad_cam not installed")
        return []
    warnings.simplefilter("ignore")
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):  # without these a torchvision whose binary does not fit dies at import
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from pytorch_grad_cam import GradCAM as Theirs
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model = onnxray.open(chosen.network("resnet50"), "vgg-face")
    assert model.profile is not None
    net = networks.resnet50().requires_grad_(True)
    net = Behind(net, torch.tensor(model.profile.mean).view(1, 3, 1, 1)).eval()
    rows = []
    with Theirs(net, target_layers=[net.net.blocks[BLOCK]]) as explain:
        for batch in (1, 8):
            x = np.random.default_rng(batch).uniform(0, 255, (batch, 3, networks.SIZE, networks.SIZE))
            pixels = Pixels(x.astype(np.float32), (None,) * batch)
            classes = np.arange(batch) * 7
            targets = [ClassifierOutputTarget(int(c)) for c in classes]
            method, objective = GradCAM(layer=VALUE), ClassScore("fc", classes)

            def maps() -> np.ndarray:
                run = Run(np.random.default_rng(0), silent, [])
                found = method.maps(model, pixels, objective, run)  # noqa: B023
                return np.stack([each.heat for _, each in found])

            def whole() -> object:
                return method(model, pixels, objective)  # noqa: B023

            def theirs() -> np.ndarray:
                return explain(torch.from_numpy(pixels.array.copy()), targets=targets)  # noqa: B023

            check_equal(maps(), theirs())
            against, rounds = f"pytorch-grad-cam, batch of {batch}", chosen.rounds(9)
            rows.append(side_by_side("Grad-CAM, the maps", against, maps, theirs, rounds=rounds, aim=AIM))
            rows.append(side_by_side("Grad-CAM, the whole call", against, whole, theirs, rounds=rounds, aim=None))
    return rows


def check_equal(ours: np.ndarray, theirs: np.ndarray) -> None:
    low, high = (edge(axis=(1, 2), keepdims=True) for edge in (ours.min, ours.max))
    positive = high > low  # a map that is negative everywhere is zero on both sides
    difference = float(np.abs((ours - low) / np.where(positive, high - low, 1) - theirs).max())
    say(
        f"  {int(positive.sum())} of {len(ours)} maps hold something; scaled to [0, 1], they differ by {difference:.1e}"
    )
    if not difference <= LARGEST_DIFFERENCE or not positive.any():
        raise SystemExit("Grad-CAM: the two sides do not do the same work")


if __name__ == "__main__":
    main()
