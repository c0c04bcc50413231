"""Class activation maps of a file equal pytorch-grad-cam's and captum's of the network that the file came from.

Both see pixels: the network stands behind the profile's ``encode``. pytorch-grad-cam gives maps scaled to [0, 1], layer by
layer and again at the picture's size; ours are brought to that before they are compared.
"""

import copy
import importlib.util
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

import onnxray
import onnxray.images.interpolation
from conformance import zoo
from onnxray.images.interpolation import bilinear
from onnxray.images.profile.profile import Profile
from onnxray.methods.saliency.activation.cam import CAM
from onnxray.methods.saliency.activation.eigen_cam import EigenCAM
from onnxray.methods.saliency.activation.full_grad import FullGrad
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from onnxray.methods.saliency.activation.grad_cam_plus_plus import GradCAMPlusPlus
from onnxray.methods.saliency.activation.guided_grad_cam import GuidedGradCAM
from onnxray.methods.saliency.activation.hires_cam import HiResCAM
from onnxray.methods.saliency.activation.layer_cam import LayerCAM
from onnxray.methods.saliency.activation.score_cam import ScoreCAM
from onnxray.methods.saliency.activation.xgrad_cam import XGradCAM
from onnxray.methods.saliency.item import MapItem
from onnxray.methods.saliency.perturbation.ablation_cam import AblationCAM
from support import exporting
from support.behind import Behind
from support.efficientnet import EfficientNetLite0
from support.trusted import trusted

Array = NDArray[Any]

MODEL = zoo.folder() / "squeezenet-v1.1-onnx" / "squeezenet_v1.1_fp32_from_fp16.onnx"
PHOTOS = zoo.folder() / "data-photos"
METHODS = {
    "GradCAM": GradCAM, "GradCAMPlusPlus": GradCAMPlusPlus, "HiResCAM": HiResCAM, "LayerCAM": LayerCAM,
    "XGradCAM": XGradCAM,
}  # fmt: skip
CLASSES = (282, 207)
TOLERANCE = 1e-4

trained = pytest.mark.skipif(not MODEL.exists(), reason="the trained SqueezeNet is not there")


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Their warnings are not ours; they import torchvision, whose binary need not fit."""
    exporting.allow_torchvision()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Fire(nn.Module):
    def __init__(self, wide: int, narrow: int, out: int) -> None:
        super().__init__()
        self.squeeze1x1, self.relu1 = nn.Conv2d(wide, narrow, 1), nn.ReLU()
        self.expand1x1, self.relu2 = nn.Conv2d(narrow, out, 1), nn.ReLU()
        self.expand3x3, self.relu3 = nn.Conv2d(narrow, out, 3, padding=1), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu1(self.squeeze1x1(x))
        return torch.cat([self.relu2(self.expand1x1(x)), self.relu3(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    """Version 1.1, written by hand, with the file's weights; logits come out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu1, self.pool1 = nn.Conv2d(3, 64, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2)
        widths = {2: (64, 16, 64), 3: (128, 16, 64), 4: (128, 32, 128), 5: (256, 32, 128), 6: (256, 48, 192),
                  7: (384, 48, 192), 8: (384, 64, 256), 9: (512, 64, 256)}  # fmt: skip
        for number, sizes in widths.items():
            setattr(self, f"fire{number}", Fire(*sizes))
        self.pool3, self.pool5 = nn.MaxPool2d(3, 2), nn.MaxPool2d(3, 2)
        self.conv10, self.relu10 = nn.Conv2d(512, 1000, 1), nn.ReLU()
        weights = {
            tensor.name: torch.from_numpy(np.array(numpy_helper.to_array(tensor)))
            for tensor in onnx.load(MODEL).graph.initializer
        }
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Conv2d):
                stem = name.replace(".", "/")
                layer.weight.data, layer.bias.data = weights[f"{stem}_w_0"], weights[f"{stem}_b_0"]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fire3(self.fire2(self.pool1(self.relu1(self.conv1(x)))))
        x = self.fire5(self.fire4(self.pool3(x)))
        x = self.fire9(self.fire8(self.fire7(self.fire6(self.pool5(x)))))
        return self.relu10(self.conv10(x)).mean((2, 3))


@pytest.fixture(scope="module")
def squeezenet() -> tuple[onnxray.Model, nn.Module, Array]:
    model = onnxray.open(MODEL, "caffe-imagenet")
    trusted(model)
    assert model.profile is not None
    pixels = model.pixels([PHOTOS / "bvlc_cat.jpg", PHOTOS / "dog.jpg"]).array
    return model, Behind(SqueezeNet().eval(), model.profile).eval(), np.array(pixels)


def theirs(
    method: str, net: nn.Module, layer: nn.Module, x: Array, classes: Any, transform: Callable[..., Any] | None = None
) -> Array:
    """Their maps, scaled to [0, 1]."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    with getattr(pytorch_grad_cam, method)(net, target_layers=[layer], reshape_transform=transform) as explain:
        return explain(torch.from_numpy(x), targets=[ClassifierOutputTarget(int(c)) for c in classes])


def ours(method: Any, model: onnxray.Model, x: Array, classes: Any) -> list[MapItem]:
    return [method(model, x[k : k + 1], int(c)).items[0] for k, c in enumerate(classes)]


def scaled(heat: Array) -> Array:
    heat = heat.astype(np.float64)
    return (heat - heat.min()) / (heat.max() - heat.min())


def same(found: Array, expected: Array) -> None:
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * np.abs(expected).max(), rtol=0)


@trained
@needs("pytorch_grad_cam")
@pytest.mark.parametrize(
    ("value", "layer"), [("conv10_2", "relu10"), ("fire9/concat_1", "fire9"), ("fire5/concat_1", "fire5")]
)
@pytest.mark.parametrize("method", METHODS)
def test_gradient_maps_of_a_trained_network(method: str, value: str, layer: str, squeezenet: Any) -> None:
    model, net, x = squeezenet
    expected = theirs(method, net, net.net.get_submodule(layer), x, CLASSES)
    for item, map_ in zip(ours(METHODS[method](layer=value), model, x, CLASSES), expected):
        same(scaled(item.heat), map_)


@trained
@needs("pytorch_grad_cam")
def test_eigen_cam_up_to_the_sign_that_it_does_not_have(squeezenet: Any) -> None:
    from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection_with_sign_correction

    model, net, x = squeezenet
    with torch.no_grad():
        stem = nn.Sequential(
            *(
                getattr(net.net, n)
                for n in ["conv1", "relu1", "pool1", "fire2", "fire3", "pool3", "fire4", "fire5", "pool5"]
            )
        )
        values = stem(model.profile.encode(torch.from_numpy(x))).numpy()
    expected = get_2d_projection_with_sign_correction(values)
    maps = theirs("EigenCAM", net, net.net.pool5, x, CLASSES)
    for item, projected, map_ in zip(ours(EigenCAM(layer="pool5_1"), model, x, CLASSES), expected, maps):
        same(item.attribution, projected)
        turned = onnxray.images.interpolation.bilinear(np.maximum(-item.attribution, 0), item.heat.shape)
        assert min(np.abs(scaled(heat) - map_).max() for heat in (item.heat, turned)) < TOLERANCE


@trained
@needs("pytorch_grad_cam")
def test_score_cam_masks_the_network_s_own_input(squeezenet: Any) -> None:
    model, net, x = squeezenet
    encoded = model.profile.encode(x[:1])
    expected = theirs("ScoreCAM", net.net, net.net.fire9.relu1, encoded, CLASSES[:1])
    item = ours(ScoreCAM(layer="fire9/squeeze1x1_2"), model, x[:1], CLASSES[:1])[0]
    same(scaled(item.heat), expected[0])


@trained
@needs("pytorch_grad_cam")
def test_ablation_cam_of_a_trained_network(squeezenet: Any) -> None:
    model, net, x = squeezenet
    own = copy.deepcopy(net)  # theirs puts a layer of its own in the place of this one
    expected = theirs("AblationCAM", own, own.net.fire9.relu1, x[:1], CLASSES[:1])
    item = ours(AblationCAM(layer="fire9/squeeze1x1_2"), model, x[:1], CLASSES[:1])[0]
    same(scaled(item.heat), expected[0])


class Large:
    """A class's logit times 1e8: pytorch-grad-cam's FullGrad adds 1e-7 to what it divides by, and ours does not."""

    def __init__(self, class_: int) -> None:
        self.class_ = class_

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        return 1e8 * logits[self.class_]


def full_grads(net: nn.Module, encoded: Array, classes: Any) -> Array:
    """pytorch-grad-cam's maps of the network's own input, scaled to [0, 1]."""
    import pytorch_grad_cam

    with pytorch_grad_cam.FullGrad(net, []) as explain:
        return explain(torch.from_numpy(encoded), targets=[Large(int(c)) for c in classes])


@trained
@needs("pytorch_grad_cam")
def test_full_grad_of_a_trained_network(squeezenet: Any) -> None:
    model, net, x = squeezenet
    encoded = model.profile.encode(x)
    expected = full_grads(copy.deepcopy(net.net), encoded, CLASSES)
    sharp = full_grads(copy.deepcopy(net.net).double(), encoded.astype(np.float64), CLASSES)
    for item, map_, map64 in zip(ours(FullGrad(), model, x, CLASSES), expected, sharp):
        # Rectifiers and poolings that take another side for rounding move a channel, each of which counts alike.
        rounding = np.abs(map_ - map64).max()
        assert np.abs(scaled(item.heat) - map64).max() <= max(TOLERANCE, 2 * rounding) < 0.02
        assert np.quantile(np.abs(scaled(item.heat) - map64), 0.8) < TOLERANCE
        assert item.numbers_["gap"] < 1e-4


@trained
@needs("pytorch_grad_cam")
@needs("ttach")
def test_efficientnet_under_ablation_augmentation_and_biases(lite0: EfficientNetLite0) -> None:
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model = onnxray.open(lite0.path)
    trusted(model)
    pixels = np.array(model.pixels([PHOTOS / "bvlc_cat.jpg"]).array)
    encoded, target = np.array(lite0.profile.encode(pixels)), [ClassifierOutputTarget(285)]
    own = copy.deepcopy(lite0.network).requires_grad_(True)
    # What Clip cuts off at is no bias of theirs; their batch normalisations are folded into the file's convolutions.
    item = ours(FullGrad(clipped=False), model, pixels, (285,))[0]
    same(scaled(item.heat), full_grads(own, encoded, (285,))[0])
    whole = ours(FullGrad(), model, pixels, (285,))[0]
    assert whole.numbers_["gap"] < 1e-4 < item.numbers_["gap"]
    with pytorch_grad_cam.GradCAM(own, target_layers=[own._bn1]) as explain:
        expected = explain(torch.from_numpy(encoded), targets=target, aug_smooth=True)
    head = model.graph.producer_of[onnxray.methods.GradCAM()(model, pixels, 285).items[0].layer].inputs[0]
    same(ours(onnxray.methods.GradCAM(layer=head, augment=True), model, pixels, (285,))[0].heat, expected[0])
    second = [node.outputs[0] for node in model.graph.every_node if node.operator == "Clip"][1]
    expected = theirs("AblationCAM", Behind(own, lite0.profile).eval(), own._blocks[0]._swish, pixels, (207,))
    same(scaled(ours(AblationCAM(layer=second), model, pixels, (207,))[0].heat), expected[0])


@trained
@needs("pytorch_grad_cam")
@needs("ttach")
@pytest.mark.parametrize("method", ["GradCAM", "LayerCAM", "HiResCAM"])
def test_augmentation_smoothing_of_a_trained_network(method: str, squeezenet: Any) -> None:
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model, net, x = squeezenet
    with getattr(pytorch_grad_cam, method)(net.net, target_layers=[net.net.fire9]) as explain:
        expected = explain(
            torch.from_numpy(model.profile.encode(x)), targets=[ClassifierOutputTarget(c) for c in CLASSES],
            aug_smooth=True,
        )  # fmt: skip
    for item, map_ in zip(ours(METHODS[method](layer="fire9/concat_1", augment=True), model, x, CLASSES), expected):
        same(item.heat, map_)


@trained
@needs("pytorch_grad_cam")
@pytest.mark.parametrize("method", ["GradCAM", "LayerCAM"])
def test_eigen_smoothing_of_a_trained_network(method: str, squeezenet: Any) -> None:
    """But for the sign, which is LAPACK's there."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model, net, x = squeezenet
    with getattr(pytorch_grad_cam, method)(net.net, target_layers=[net.net.fire9]) as explain:
        expected = explain(
            torch.from_numpy(model.profile.encode(x)), targets=[ClassifierOutputTarget(c) for c in CLASSES],
            eigen_smooth=True,
        )  # fmt: skip
    found = ours(METHODS[method](layer="fire9/concat_1", eigen_smooth=True), model, x, CLASSES)
    for item, map_ in zip(found, expected):
        negative = bilinear(np.maximum(-item.attribution.astype(np.float64), 0), map_.shape)
        assert min(np.abs(scaled(heat) - map_).max() for heat in (item.heat, negative)) < TOLERANCE


@trained
@needs("captum")
def test_captum_s_layer_grad_cam_is_the_attribution(squeezenet: Any) -> None:
    from captum.attr import LayerGradCam

    model, net, x = squeezenet
    expected = LayerGradCam(net, net.net.fire9).attribute(torch.from_numpy(x), target=torch.tensor(CLASSES))
    for item, map_ in zip(ours(GradCAM(layer="fire9/concat_1"), model, x, CLASSES), expected.detach().numpy()):
        same(item.attribution, map_[0])


@trained
@needs("captum")
def test_captum_s_guided_grad_cam_upsampled_bilinearly(squeezenet: Any) -> None:
    from captum.attr import GuidedGradCam

    model, net, x = squeezenet
    explain = GuidedGradCam(net, net.net.fire9)
    given = torch.from_numpy(x).requires_grad_()
    expected = explain.attribute(given, target=torch.tensor(CLASSES), interpolate_mode="bilinear").detach().numpy()
    for item, map_ in zip(ours(GuidedGradCAM(layer="fire9/concat_1"), model, x, CLASSES), expected):
        same(item.attribution, map_)


@trained
@pytest.mark.parametrize("photo", ["bvlc_cat.jpg", "dog.jpg"])
def test_cam_of_averaged_class_maps_is_grad_cam_times_the_places(photo: str) -> None:
    model = onnxray.open(MODEL, "caffe-imagenet")
    trusted(model)
    own = CAM()(model, PHOTOS / photo).items[0]
    kin = GradCAM(layer="conv10_2")(model, PHOTOS / photo).items[0]
    same(own.attribution / own.attribution.size, kin.attribution)


def transform_tokens(other: int, side: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: x[:, other:].reshape(len(x), side, side, -1).permute(0, 3, 1, 2)


def transform_last(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 3, 1, 2)


SMALL_SWIN = {"img_size": 56, "window_size": 7, "embed_dim": 24, "depths": (2, 2), "num_heads": (2, 2)}
TRANSFORMERS: dict[str, tuple[int, dict[str, Any], Callable[[nn.Module], nn.Module], Any]] = {
    "vit_tiny_patch16_224": (64, {"img_size": 64, "depth": 2}, lambda n: n.blocks[-1].norm1, transform_tokens(1, 4)),
    "deit_tiny_distilled_patch16_224": (
        64, {"img_size": 64, "depth": 2}, lambda n: n.blocks[-1].norm1, transform_tokens(2, 4),
    ),
    "vit_small_patch14_reg4_dinov2": (
        56, {"img_size": 56, "depth": 2}, lambda n: n.blocks[-1].norm1, transform_tokens(5, 4),
    ),
    "swin_tiny_patch4_window7_224": (56, SMALL_SWIN, lambda n: n.norm, transform_last),
}  # fmt: skip


@needs("pytorch_grad_cam")
@needs("timm")
@pytest.mark.parametrize("exporter", [(True, 20), (False, 17)], ids=["dynamo", "legacy"])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers_need_no_reshaping_by_hand(name: str, exporter: tuple[bool, int], tmp_path: Path) -> None:
    if exporter[0]:
        pytest.importorskip("onnxscript")
    side, options, layer, transform = TRANSFORMERS[name]
    net = exporting.timm_network(name, **options)
    x = np.random.default_rng(0).uniform(0, 255, (2, 3, side, side)).astype(np.float32)
    exporting.export(net, (torch.zeros(1, 3, side, side),), exporting.Exporter(*exporter), tmp_path / "net.onnx")
    profile = Profile(
        name="half", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.5,) * 3, std=(0.25,) * 3, size=(side, side)
    )
    model, wrapped = onnxray.open(tmp_path / "net.onnx", profile), Behind(net, profile).eval()
    exact = copy.deepcopy(net).double()
    wrapped64 = Behind(exact, profile).eval()
    classes = (3, 11)
    for method, make in METHODS.items():
        expected = theirs(method, wrapped, layer(net), x, classes, transform)
        sharp = theirs(method, wrapped64, layer(exact), x.astype(np.float64), classes, transform)
        for item, map_, map64 in zip(ours(make(), model, x, classes), expected, sharp):
            if item.reason is None:
                # XGrad-CAM divides by a sum that may nearly cancel: the network's own float32 is off by 2e-4 there.
                rounding = np.abs(map_ - map64).max()
                assert np.abs(scaled(item.heat) - map64).max() <= max(TOLERANCE, rounding), method
            else:
                assert not map_.any()


class Zeroed:
    """pytorch-grad-cam's layer of vision transformers, with the channel of the picture's own tokens zero."""

    def __new__(cls) -> Any:
        from pytorch_grad_cam.ablation_layer import AblationLayerVit

        class Own(AblationLayerVit):
            def __call__(self, x: torch.Tensor) -> torch.Tensor:
                for row in range(len(self.activations)):
                    self.activations[row, 1:, int(self.indices[row])] = 0
                return self.activations

        return Own()


@needs("pytorch_grad_cam")
@needs("ttach")
@needs("timm")
@pytest.mark.parametrize("exporter", [(True, 20), (False, 17)], ids=["dynamo", "legacy"])
def test_a_vision_transformer_under_ablation_augmentation_and_biases(exporter: Any, tmp_path: Path) -> None:
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    if exporter[0]:
        pytest.importorskip("onnxscript")
    net = exporting.timm_network("vit_tiny_patch16_224", img_size=64, depth=2)
    x = np.random.default_rng(0).uniform(0, 255, (1, 3, 64, 64)).astype(np.float32)
    exporting.export(net, (torch.zeros(1, 3, 64, 64),), exporting.Exporter(*exporter), tmp_path / "net.onnx")
    profile = Profile(
        name="half", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.5,) * 3, std=(0.25,) * 3, size=(64, 64)
    )
    model, encoded = onnxray.open(tmp_path / "net.onnx", profile), torch.from_numpy(np.array(profile.encode(x)))
    trusted(model)
    with torch.no_grad():  # of scores above zero: theirs turns the sign of the others
        classes = net(encoded)[0].topk(2).indices.tolist()
    for class_ in classes:
        target = [ClassifierOutputTarget(class_)]
        layer = net.blocks[-1].norm1
        with pytorch_grad_cam.GradCAM(net, [layer], reshape_transform=transform_tokens(1, 4)) as explain:
            expected = explain(encoded, targets=target, aug_smooth=True)
        same(GradCAM(augment=True)(model, x, class_).items[0].heat, expected[0])
        own = copy.deepcopy(net)
        with pytorch_grad_cam.AblationCAM(
            own, [own.blocks[-1].norm1], reshape_transform=transform_tokens(1, 4), ablation_layer=Zeroed()
        ) as explain:
            expected = explain(encoded, targets=target)
        same(scaled(ours(AblationCAM(), model, x, (class_,))[0].heat), expected[0])
        # What the biases add is what they are times the gradient with respect to them.
        own = copy.deepcopy(net).requires_grad_(True)
        own(encoded)[0, class_].backward()
        added = sum(
            float((p.detach().double() * p.grad.double()).sum())
            for name, p in own.named_parameters()
            if p.grad is not None and (name.endswith("bias") or name == "pos_embed")
        )
        item = FullGrad()(model, x, class_).items[0]
        assert item.numbers_["bias_part"] == pytest.approx(added, rel=1e-3, abs=1e-4)
        assert item.numbers_["gap"] > 0
