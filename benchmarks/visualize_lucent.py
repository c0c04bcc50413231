"""The ascent of feature visualisation against torch-lucent on the native network.

ResNet-50 with random weights at 224 pixels, one image, 64 steps (16 with --quick). Both sides climb the same value by
Adam 0.05 on Fourier coefficients of decorrelated colours, behind lucid's transforms: ours in one resampling at the
network's size; torch-lucent's by its own standard transforms and back to that size, ``fixed_image_size``. Ours reads
the ONNX file, and leaves out the steps of redirected gradients that torch-lucent has not. torch-lucent is given the
network as one loads it, whose weights ask for gradients, and once more frozen by hand. Both pictures are then scored by
the network: the smaller gain has to be at least half of the larger. Needs torch-lucent, which asks for packages that
the rest cannot have: pip install decorator ipython; pip install --no-deps torch-lucent==0.1.8 kornia==0.4.1.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from functools import partial

import networks
import numpy as np
import torch
from measure import Row, Setting, print_rows, say, setting, side_by_side

import onnxray
from onnxray.methods.run import Run
from onnxray.methods.synthesis.ascent.loop import climb
from onnxray.methods.synthesis.parts.maximize_presets import MaximizeSetting, maximize_recipe
from onnxray.objectives.target_lists import channels_of

STEPS, QUICK_STEPS = 64, 16
# (work, the ONNX value, torch-lucent's name of the same layer, channel or class)
SOUGHT = (
    ("a class", "fc", "fc", 207),
    ("a channel of the third stage", "block9.conv2", "blocks_9_conv2", 5),
)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def main() -> None:
    with setting(__doc__) as chosen:
        if importlib.util.find_spec("lucent") is None:
            say("  torch-lucent is not installed: it is left out; how it installs: benchmarks/visualize_lucent.py")
            print_rows([])
            return
        print_rows(measure(chosen))


def measure(chosen: Setting) -> list[Row]:
    model = onnxray.open(chosen.network("resnet50"), "torchvision")
    steps, rows = QUICK_STEPS if chosen.quick else STEPS, []
    for work, value, layer, number in SOUGHT:
        for trainable in (True, False):
            net = networks.resnet50().requires_grad_(trainable)
            mine, other = partial(ours, model, value, number, steps), partial(lucents, net, layer, number, steps)
            check_equal(partial(gain, networks.resnet50(), layer, number), mine(), other())
            against = "torch-lucent" if trainable else "torch-lucent, the weights frozen by hand"
            aim = 1 / 1.3 if trainable else None
            rows.append(side_by_side(f"{work}, {steps} steps", against, mine, other, rounds=chosen.rounds(5), aim=aim))
    return rows


def ours(model: onnxray.Model, value: str, number: int, steps: int) -> np.ndarray:
    """(1, 3, H, W) in [0, 1]."""
    assert model.profile is not None
    made = maximize_recipe(
        MaximizeSetting(preset="lucid", shape=model.profile.shape, mean=model.profile.mean_colour, steps=steps)
    )
    plan = dataclasses.replace(made.stages[0], redirected=0)
    run = Run(np.random.default_rng(0), lambda *_: None, [])
    return climb(model, channels_of(model, value, str(number), "mean"), plan, run).images / 255


def lucents(net: networks.ResNet50, layer: str, number: int, steps: int) -> np.ndarray:
    """(1, 3, H, W) in [0, 1]."""
    networks.define_torchvision_operators()
    from lucent.optvis import objectives, param, render

    (image,) = render.render_vis(
        net, objectives.channel(layer, number), lambda: param.image(networks.SIZE), thresholds=(steps,),
        progress=False, show_image=False, fixed_image_size=networks.SIZE,
    )  # fmt: skip
    for part in net.modules():  # each call leaves its own
        part._forward_hooks.clear()
    return np.moveaxis(image, -1, 1)


def gain(net: networks.ResNet50, layer: str, number: int, image: np.ndarray) -> float:
    """How far the image is above middle grey."""
    mean, std = (torch.tensor(part).reshape(1, 3, 1, 1) for part in (MEAN, STD))
    seen: list[torch.Tensor] = []
    part = net.get_submodule(layer.replace("_", "."))
    handle = part.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    with torch.no_grad():
        for x in (torch.from_numpy(image).float(), torch.full((1, 3, networks.SIZE, networks.SIZE), 0.5)):
            net((x - mean) / std)
    handle.remove()
    climbed, grey = (float(value[:, number].mean()) for value in seen)
    return climbed - grey


def check_equal(score: Callable[[np.ndarray], float], mine: np.ndarray, other: np.ndarray) -> None:
    gains = score(mine), score(other)
    say(f"  the objective rises by {gains[0]:.3g} here, by {gains[1]:.3g} there")
    if not min(gains) >= max(gains) / 2 > 0:
        raise SystemExit("the two sides do not reach comparable objectives")


if __name__ == "__main__":
    main()
