"""quantus's pixel flipping on the native network, against insertion and deletion by ONNX Runtime on the file.

Grey images alone: of several channels quantus replaces one number of a pixel after the other, in an order that ties
leave open, where ours replaces pixels. Its curve leaves the first point out, and its area counts steps of 1.
"""

import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import onnxray
from onnxray.assess.maps.insertion_deletion import blurred, insertion_and_deletion
from onnxray.images.profile.profile import Profile
from onnxray.objectives.targets import read_target
from peers.test_peers import as_onnx, needs
from support import models
from support.behind import Behind

SIDE, STEP, TARGET = 20, 16, 3
STEPS = SIDE * SIDE // STEP
PROFILE = Profile(
    name="grey", layout="NCHW", channels="GREY", scale=1 / 255, mean=(0.4,), std=(0.3,), size=(SIDE, SIDE)
)
MEAN = 102.0  # 0.4 * 255


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)  # quantus 0.6 calls it by the name of old numpy
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def grey_network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 8, 3, padding=1), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2), flat=nn.Flatten(),
            fc1=nn.Linear(800, 16), relu2=nn.ReLU(), fc2=nn.Linear(16, 6),
        )
    ).eval()  # fmt: skip


@needs("quantus", "cachetools", "sklearn")
@pytest.mark.parametrize("curve", ["insertion", "deletion"])
def test_pixel_flipping(curve: str, tmp_path: Path) -> None:
    import quantus

    net = grey_network()
    onnx.save(as_onnx(net), tmp_path / "net.onnx")
    model = onnxray.open(tmp_path / "net.onnx", PROFILE)
    image = models.random(0, 1, 1, SIDE, SIDE, scale=60).clip(-100, 100) + np.float32(128)
    heat = models.random(1, SIDE, SIDE)
    pixels = model.pixels(image)
    objective = read_target(model, pixels, TARGET, "probability")
    inserted, deleted = insertion_and_deletion(
        model, pixels, objective, heat, steps=STEPS, random=np.random.default_rng(0)
    )
    first, rest = (blurred(image[0])[None], image) if curve == "insertion" else (image, np.full_like(image, MEAN))

    def replaced(arr: Any, indices: Any, **_: Any) -> Any:
        arr = arr.copy()
        arr[0, indices[0]] = rest.reshape(1, -1)[0, indices[0]]
        return arr

    def flipped(**options: Any) -> Any:
        metric = quantus.PixelFlipping(
            features_in_step=STEP, normalise=False, perturb_func=replaced, disable_warnings=True, **options
        )
        found = metric(
            model=Behind(net, PROFILE).eval(), x_batch=first, y_batch=np.array([TARGET]), a_batch=heat[None, None], softmax=True,
            device="cpu",
        )  # fmt: skip
        return np.asarray(found[0])

    ours = inserted if curve == "insertion" else deleted
    np.testing.assert_allclose(ours.scores[1:], flipped(), rtol=1e-4)
    area = flipped(return_auc_per_sample=True) + (ours.scores[0] + ours.scores[1]) / 2
    assert ours.area == pytest.approx(area / STEPS, rel=1e-4)


@needs("quantus", "cachetools", "sklearn")
def test_quantus_own_replacement_is_our_deletion(tmp_path: Path) -> None:
    import quantus

    net = grey_network()
    onnx.save(as_onnx(net), tmp_path / "net.onnx")
    model = onnxray.open(tmp_path / "net.onnx", PROFILE)
    image = models.random(4, 1, 1, SIDE, SIDE, scale=60).clip(-100, 100) + np.float32(128)
    heat = models.random(5, SIDE, SIDE)
    pixels = model.pixels(image)
    deleted = insertion_and_deletion(
        model, pixels, read_target(model, pixels, TARGET, "probability"), heat, steps=STEPS,
        random=np.random.default_rng(0),
    )[1]  # fmt: skip
    metric = quantus.PixelFlipping(
        features_in_step=STEP,
        normalise=False,
        perturb_baseline=MEAN,
        disable_warnings=True,  # type: ignore[arg-type]
    )
    found = metric(
        model=Behind(net, PROFILE).eval(), x_batch=image, y_batch=np.array([TARGET]), a_batch=heat[None, None], softmax=True,
        device="cpu",
    )  # fmt: skip
    np.testing.assert_allclose(deleted.scores[1:], found[0], rtol=1e-4)
