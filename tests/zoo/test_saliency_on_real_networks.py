"""The gradient family on trained networks from outside the repository; skipped where they are not beside the checkout."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut

import onnxray
from onnxray.errors import InputError
from onnxray.images.profile.profile import Profile
from onnxray.methods.saliency.activation.full_grad import FullGrad
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.gradient.deconvnet import DeconvNet
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.gradient.guided_backpropagation import GuidedBackpropagation
from onnxray.methods.saliency.gradient.input_x_gradient import InputXGradient
from onnxray.methods.saliency.gradient.integrated_gradients import IntegratedGradients
from onnxray.methods.saliency.gradient.smoothgrad import SmoothGrad
from onnxray.methods.saliency.perturbation.ablation_cam import AblationCAM
from onnxray.methods.saliency.perturbation.kernel_shap import KernelSHAP
from onnxray.objectives.targets import Like

ZOO = Path(os.environ.get("ONNXRAY_ZOO") or Path(__file__).parents[3] / "shared" / "zoo")
pytestmark = pytest.mark.skipif(not ZOO.is_dir(), reason="the models are not beside this checkout")

FACE = astronaut()[50:162, 167:279]
METHODS = (
    Gradient(), InputXGradient(), GuidedBackpropagation(rectifiers=("Relu", "Clip", "PRelu")),
    DeconvNet(rectifiers=("Relu", "Clip", "PRelu")), IntegratedGradients(baseline="mean"), SmoothGrad(samples=4),
)  # fmt: skip


def scaled(size: tuple[int, int], mean: float, layout: Any = "NCHW") -> Profile:
    """(x - mean) / 128."""
    return Profile(name="face", layout=layout, channels="RGB", scale=1.0, mean=(mean,) * 3, std=(128.0,) * 3, size=size)


CASES: dict[str, tuple[str, Profile, Any, Any]] = {
    "a detector's score of its surest box": (
        "ultraface/version-RFB-320.onnx", scaled((240, 320), 127), astronaut(), "scores[max,1]",
    ),
    "a detector's coordinate": ("ultraface/version-RFB-320.onnx", scaled((240, 320), 127), astronaut(), "boxes[4228,0]"),
    "the likeness of a face": (
        "mobilefacenet-vface-onnx/mobilefacenet.onnx", scaled((112, 112), 127.5), FACE, Like(image=FACE[:, ::-1]),
    ),
    "channels last": ("mtcnn/onet.onnx", scaled((48, 48), 127.5, "NHWC"), FACE, None),
}  # fmt: skip


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.name))
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.slow] if case == "a detector's coordinate" else []) for case in CASES],
)
def test_targets_other_than_a_photo_s_class(case: str, method: Saliency) -> None:
    """A map of the image's size for each, and the completeness gap met."""
    file, profile, image, target = CASES[case]
    (item,) = method(onnxray.open(ZOO / file, profile), image, target).items
    assert item.heat.shape == profile.size
    assert item.attribution.shape == (3, *profile.size)
    assert item.reason is None
    if isinstance(method, IntegratedGradients):
        assert item.numbers_["gap"] <= method.gap
        assert item.attribution.sum() == pytest.approx(item.numbers_["score_change"], rel=method.gap)


@pytest.mark.parametrize("case", ["the likeness of a face", "channels last", "a detector's coordinate"])
def test_a_small_step_along_the_gradient_moves_the_score_as_far_as_it_says(case: str) -> None:
    file, profile, image, target = CASES[case]
    model = onnxray.open(ZOO / file, profile)
    pixels = model.pixels(image).array
    (item,) = Gradient()(model, pixels, target).items
    step = 0.05 * item.attribution / np.abs(item.attribution).max()
    ends = [Gradient()(model, np.clip(pixels + sign * step, 0, 255), target).items[0].target_score for sign in (1, -1)]
    clipped = np.clip(pixels + step, 0, 255) - np.clip(pixels - step, 0, 255)
    assert ends[0] - ends[1] == pytest.approx(float((clipped * item.attribution).sum()), rel=0.05)


@pytest.mark.parametrize("file", ["squeezenet_v1.1_qdq_int8.onnx", "squeezenet_v1.1_qop_uint8.onnx"])
@pytest.mark.parametrize(
    "method", [GuidedBackpropagation(), DeconvNet(rectifiers=("Relu", "Clip", "LeakyRelu", "PRelu"))]
)
def test_quantised_networks_have_no_rectifier_left(file: str, method: Saliency) -> None:
    model = onnxray.open(ZOO / "squeezenet-v1.1-onnx" / file, "caffe-imagenet")
    with pytest.raises(InputError, match="and there is none; quantised and fused networks keep none"):
        method(model, ZOO / "data-photos" / "cat.jpg")


def test_a_quantised_network_straight_through() -> None:
    """The map of the int8 file is much that of the float32 one; rounding is no part of the gradient."""
    files = ("squeezenet_v1.1_qdq_int8.onnx", "squeezenet_v1.1_fp32_from_fp16.onnx")
    found = []
    for file in files:
        model = onnxray.open(ZOO / "squeezenet-v1.1-onnx" / file, "caffe-imagenet")
        found.append(Gradient()(model, ZOO / "data-photos" / "cat.jpg", "class:285").items[0].attribution.ravel())
    cosine = float(found[0] @ found[1] / np.linalg.norm(found[0]) / np.linalg.norm(found[1]))
    assert cosine > 0.5


def test_smoothed_and_guided_maps_lie_on_the_animal() -> None:
    """The peak in a box drawn by hand around the cat's face, the dog, the bird; the map there twice as strong at least."""
    model = onnxray.open(ZOO / "squeezenet-v1.1-onnx" / "squeezenet_v1.1_fp32_from_fp16.onnx", "caffe-imagenet")
    boxes = {"cat.jpg": (30, 30, 160, 180), "dog.jpg": (15, 20, 224, 150), "hummingbird.jpg": (0, 0, 224, 190)}
    photos = [ZOO / "data-photos" / name for name in boxes]
    for method in (GuidedBackpropagation(), SmoothGrad(samples=8)):
        for item, (top, left, bottom, right) in zip(method(model, photos).items, boxes.values()):
            inside = np.zeros((224, 224), bool)
            inside[top:bottom, left:right] = True
            assert inside[item.peak]
            assert item.heat[inside].mean() > 2 * item.heat[~inside].mean()


@pytest.mark.parametrize("case", CASES)
def test_squares_of_every_target_add_up(case: str) -> None:
    """KernelSHAP of six squares of a detector, of a face's likeness and of a file with channels last."""
    file, profile, image, target = CASES[case]
    item = KernelSHAP(superpixels="grid", segments=6)(onnxray.open(ZOO / file, profile), image, target).items[0]
    assert item.numbers_["complete"]
    assert item.numbers_["additivity_gap"] < 1e-9
    assert np.abs(item.attribution).max() > 0


@pytest.mark.parametrize("case", CASES)
def test_channels_and_biases_of_every_target(case: str) -> None:
    file, profile, image, target = CASES[case]
    model = onnxray.open(ZOO / file, profile)
    item = FullGrad()(model, image, target).items[0]
    assert item.heat.shape == profile.size
    assert np.isfinite(item.numbers_["gap"])
    item = AblationCAM()(model, image, target).items[0]
    assert np.abs(item.attribution).max() > 0


def test_int8_files_have_shapley_values_much_like_those_in_float32() -> None:
    found = [
        KernelSHAP(superpixels="grid", segments=6)(
            onnxray.open(ZOO / "squeezenet-v1.1-onnx" / file, "caffe-imagenet"), ZOO / "data-photos" / "cat.jpg", 282
        ).items[0].attribution
        for file in (
            "squeezenet_v1.1_fp32_from_fp16.onnx", "squeezenet_v1.1_qdq_int8.onnx", "squeezenet_v1.1_qop_uint8.onnx",
        )
    ]  # fmt: skip
    for other in found[1:]:
        assert np.corrcoef(found[0], other)[0, 1] > 0.9
