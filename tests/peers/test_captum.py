"""The gradient family against captum on the native network: both see grey levels, the profile inside of the network.

The native network computes in the layout that the twin takes on the CPU, channels last: in another, rounding flips a
few decisions of ReLU and max-pooling (as a last bit of the noise would) and moves torch's own gradient as far: by 3e-2
of its largest number at worst, between SqueezeNet in float32 and in float64.

captum's trapezoid gives n points the weights of n intervals, whose sum is (n - 1) / n: ours is n / (n - 1) times that.
"""

import functools
import importlib.util
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.data import astronaut, chelsea
from torch import nn

import onnxray
from onnxray.images.profile.profile import Profile
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.gradient.deconvnet import DeconvNet
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.gradient.guided_backpropagation import GuidedBackpropagation
from onnxray.methods.saliency.gradient.input_x_gradient import InputXGradient
from onnxray.methods.saliency.gradient.integrated_gradients import IntegratedGradients
from onnxray.methods.saliency.gradient.smoothgrad import SmoothGrad
from support import exporting
from support.squeezenet import squeezenet

if importlib.util.find_spec("captum") is None:
    pytest.skip("captum is not installed", allow_module_level=True)

from captum import attr

ZOO = Path(os.environ.get("ONNXRAY_ZOO") or Path(__file__).parents[3] / "shared" / "zoo")
SQUEEZENET = ZOO / "squeezenet-v1.1-onnx" / "squeezenet_v1.1_fp32_from_fp16.onnx"
RELATIVE = 1e-4


class OfPixels(nn.Module):
    """The native network behind the profile."""

    def __init__(self, net: nn.Module, profile: Profile) -> None:
        super().__init__()
        self.net, self.profile = net, profile

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.net(self.profile.encode(pixels))


@dataclass(frozen=True)
class Case:
    """A network on both sides, and images in grey levels with the class that is explained of each."""

    model: onnxray.Model
    native: nn.Module
    images: NDArray[np.float32]
    targets: torch.Tensor

    @property
    def pixels(self) -> torch.Tensor:
        return torch.from_numpy(self.images.copy())

    def ours(self, method: Saliency, seed: int = 0) -> NDArray[np.float32]:
        """The attributions of every image, of the judge's own class."""
        return np.stack([item.attribution for item in method(self.model, self.images, seed=seed).items])

    def same(self, method: Saliency, theirs: torch.Tensor) -> None:
        found, expected = self.ours(method), theirs.detach().numpy()
        assert np.abs(expected).max() > 0
        assert np.abs(found - expected).max() <= RELATIVE * np.abs(expected).max()
        assert np.linalg.norm(found - expected) <= RELATIVE * np.linalg.norm(expected)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """captum warns of hooks and of inputs whose gradient it switches on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    """A case by its name, made once."""

    @functools.cache
    def give(name: str) -> Case:
        return trained() if name == "squeezenet" else untrained(name, tmp_path_factory.mktemp(name))

    return give


@pytest.fixture(params=["squeezenet", "test_resnet", "test_vit"])
def case(request: pytest.FixtureRequest, opened: Callable[[str], Case]) -> Case:
    return opened(request.param)


@pytest.fixture(params=["squeezenet", "test_resnet"])
def rectified(request: pytest.FixtureRequest, opened: Callable[[str], Case]) -> Case:
    return opened(request.param)


@pytest.fixture(params=["squeezenet", "test_vit"])
def steady(request: pytest.FixtureRequest, opened: Callable[[str], Case]) -> Case:
    """Not the untrained ResNet: at some point of the way rounding flips one of its rectifiers, its own in torch too."""
    return opened(request.param)


def trained() -> Case:
    if not SQUEEZENET.exists():
        pytest.skip("the trained model is not beside this checkout")
    model = onnxray.open(SQUEEZENET, "caffe-imagenet")
    photos = [ZOO / "data-photos" / photo for photo in ("cat.jpg", "dog.jpg")]
    return made(model, squeezenet(SQUEEZENET), model.pixels(photos).array)


def untrained(name: str, folder: Path) -> Case:
    if importlib.util.find_spec("timm") is None:
        pytest.skip("timm is not installed")
    options = {"zero_init_last": False} if name == "test_resnet" else {"img_size": 96}
    net = exporting.calibrated(exporting.timm_network(name, **options), (96, 96))
    for part in net.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False  # captum's hooks want the rectifier's own input
    path = folder / "net.onnx"
    exporting.export(net, (torch.zeros(1, 3, 96, 96),), exporting.Exporter(dynamo=False, opset=17), path)
    profile = Profile(
        name="half", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.5,) * 3, std=(0.25,) * 3, size=(96, 96)
    )
    photos = np.stack([astronaut()[40:232:2, 140:332:2], chelsea()[40:232:2, 100:292:2]])
    return made(onnxray.open(path, profile), net, photos.transpose(0, 3, 1, 2).astype(np.float32))


def made(model: onnxray.Model, net: nn.Module, images: NDArray[np.float32]) -> Case:
    classes = model.predict(images).classes
    net = net.requires_grad_(False).to(memory_format=torch.channels_last)
    native = OfPixels(net, model.profile)
    np.testing.assert_array_equal(native(torch.from_numpy(images.copy())).argmax(1), classes)
    return Case(model, native, images, torch.from_numpy(classes))


def test_saliency(case: Case) -> None:
    signed = attr.Saliency(case.native).attribute(case.pixels, target=case.targets, abs=False)
    case.same(Gradient(), signed)
    theirs = attr.Saliency(case.native).attribute(case.pixels, target=case.targets).amax(1).numpy()
    heat = np.stack([item.heat for item in Gradient()(case.model, case.images).items])
    assert np.abs(heat - theirs).max() <= RELATIVE * theirs.max()


def test_input_x_gradient_in_pixels_and_in_the_networks_own_input(case: Case) -> None:
    case.same(InputXGradient(), attr.InputXGradient(case.native).attribute(case.pixels, target=case.targets))
    profile = case.model.profile
    assert profile is not None
    own = attr.InputXGradient(case.native.net).attribute(profile.encode(case.pixels), target=case.targets)
    own = own.flip(1) if profile.channels == "BGR" else own
    case.same(InputXGradient(baseline="mean"), own)


@pytest.mark.parametrize(("rule", "steps", "theirs", "points"), [
    ("gauss-legendre", 6, "gausslegendre", 6), ("trapezoid", 5, "riemann_trapezoid", 6),
])  # fmt: skip
@pytest.mark.parametrize("baseline", ["black", "white"])
def test_integrated_gradients(steady: Case, rule: Any, steps: int, theirs: str, points: int, baseline: Any) -> None:
    start = torch.full_like(steady.pixels, 255 if baseline == "white" else 0)
    expected = attr.IntegratedGradients(steady.native).attribute(
        steady.pixels, start, target=steady.targets, n_steps=points, method=theirs, internal_batch_size=12
    )
    factor = points / (points - 1) if rule == "trapezoid" else 1
    method = IntegratedGradients(quadrature=rule, steps=steps, max_steps=steps, baseline=baseline)
    steady.same(method, expected.float() * factor)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(GuidedBackpropagation, attr.GuidedBackprop), (DeconvNet, attr.Deconvolution)]
)
def test_backward_rules(rectified: Case, ours: Callable[[], Saliency], theirs: Any) -> None:
    expected = theirs(rectified.native).attribute(rectified.pixels, target=rectified.targets)
    rectified.same(ours(), expected)


@pytest.mark.parametrize(("average", "kind"), [
    ("mean", "smoothgrad"), ("square", "smoothgrad_sq"), ("variance", "vargrad"),
])  # fmt: skip
@pytest.mark.parametrize("of", ["gradient", "input-x-gradient", "guided-backpropagation"])
def test_noise_tunnel(rectified: Case, average: Any, kind: str, of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same noise: captum draws by torch.normal, image by image, and is handed what we draw."""
    samples, sigma = 4, 20.0
    generator = np.random.default_rng(np.random.default_rng(0).integers(2**63, size=2)[0])
    shape = rectified.images.shape
    drawn = generator.standard_normal((shape[0] * samples, *shape[1:])) * sigma
    monkeypatch.setattr(torch, "normal", lambda mean, std: torch.from_numpy(drawn.astype(np.float32)).view_as(std))
    inner = {
        "gradient": attr.Saliency, "input-x-gradient": attr.InputXGradient, "guided-backpropagation": attr.GuidedBackprop,
    }[of](rectified.native)  # fmt: skip
    options = {"abs": False} if of == "gradient" else {}
    expected = attr.NoiseTunnel(inner).attribute(
        rectified.pixels, nt_type=kind, nt_samples=samples, stdevs=sigma, target=rectified.targets, **options
    )
    rectified.same(SmoothGrad(of=of, average=average, samples=samples, noise=sigma, unit="absolute"), expected)
