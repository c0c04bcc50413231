"""captum's Occlusion on the native network behind the profile's encode, and DIANNA's RISE, against ours on the file."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import onnxray
from onnxray.images.profile.profile import Profile
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from onnxray.methods.saliency.perturbation.random_masks import RandomMasks
from onnxray.methods.saliency.perturbation.rise import RISE
from peers.test_peers import CLASSES, SIDE, as_onnx, native, needs
from support import models, packages
from support.behind import Behind
from support.efficientnet import EfficientNetLite0

PROFILE = Profile(
    name="small", layout="NCHW", channels="BGR", scale=1 / 255, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25),
    size=(SIDE, SIDE),
)  # fmt: skip
FILL = 90.0


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def pixels() -> models.Array:
    return np.random.default_rng(0).uniform(0, 255, (2, 3, SIDE, SIDE)).astype(np.float32)


def captums(net: nn.Module, pixels: models.Array, target: int, size: int, stride: int) -> models.Array:
    from captum.attr import Occlusion as Captums

    found = Captums(net).attribute(
        torch.from_numpy(pixels), sliding_window_shapes=(pixels.shape[1], size, size),
        strides=(pixels.shape[1], stride, stride), baselines=FILL, target=target, perturbations_per_eval=16,
    )  # fmt: skip
    assert (found[:, :1] == found).all()
    return np.asarray(found[:, 0])


@needs("captum")
@pytest.mark.parametrize(("size", "stride"), [(4, 2), (5, 3), (7, 7), (3, 1)])
def test_captums_occlusion(size: int, stride: int, pixels: models.Array, tmp_path: Path) -> None:
    net = native()
    onnx.save(as_onnx(net), tmp_path / "net.onnx")
    model = onnxray.open(tmp_path / "net.onnx", PROFILE)
    for target in range(0, CLASSES, 2):
        expected = captums(Behind(net, PROFILE), pixels, target, size, stride)
        for item, heat in zip(
            Occlusion(size=size, stride=stride, fill=str(FILL))(model, pixels, target).items, expected
        ):
            np.testing.assert_allclose(item.heat, heat, atol=1e-4 * np.abs(heat).max())


@needs("captum")
def test_captums_occlusion_on_a_trained_network(lite0: EfficientNetLite0) -> None:
    packages.needed("foolbox", "foolbox/data/imagenet_00_243.jpg")
    photo, target = packages.imagenet_photos()[0]
    model = onnxray.open(lite0.path)
    pixels = model.pixels([photo]).array
    item = Occlusion(size=30, stride=20, fill=str(FILL))(model, [photo], target).items[0]
    assert item.numbers_["forwards"] == "patches"
    heat = captums(Behind(lite0.network, lite0.profile), np.array(pixels), target, 30, 20)[0]
    np.testing.assert_allclose(item.heat, heat, atol=1e-4 * np.abs(heat).max())


@needs("dianna", "sklearn", "tqdm", "xarray")  # what its RISE imports; it comes without them
def test_diannas_rise_under_the_same_masks(
    pixels: models.Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dianna
    import dianna.methods.rise_image as rise_image

    net = nn.Sequential(native(), nn.Softmax(1))
    onnx.save(as_onnx(net[0]), tmp_path / "net.onnx")
    profile = Profile(
        name="raw", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.0,) * 3, std=(1.0,) * 3, size=(SIDE, SIDE)
    )
    item = RISE(masks=50, cells=5, keep=0.3, fill="black")(
        onnxray.open(tmp_path / "net.onnx", profile), pixels[:1], 2, seed=3
    ).items[0]
    masks = RandomMasks.drawn(50, 5, 0.3, (SIDE, SIDE), np.random.default_rng(3)).rows(0, 50)[..., None]
    monkeypatch.setattr(rise_image, "generate_interpolated_float_masks_for_image", lambda *args: masks)

    def run(batch: models.Array) -> models.Array:
        return np.asarray(net(torch.from_numpy(np.asarray(batch, np.float32) / 255)).detach())

    found = dianna.explain_image(
        run, pixels[0], "RISE", labels=[2], n_masks=50, feature_res=5, p_keep=0.3, axis_labels={0: "channels"}
    )
    np.testing.assert_allclose(item.heat, found[0], rtol=1e-4)
