"""LRP against zennit, AttnLRP against lxt, DeepLIFT against captum, on the native network.

zennit sees no sum of two values and no batch normalisation behind a convolution unless a canoniser for that very network
tells it so: the tests write them. The imported graph has both as nodes.

captum's DeepLift loses two things, each made good here by other means than ours: its max-pooling writes over what
overlapping windows share (``max_unpool2d``), and what a rectifier gets from a max-pooling right behind it is the
gradient, for the rectifier's hook on that tensor runs first. Made good, it is the same.
"""

import copy
import importlib.util
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.data import astronaut
from torch import nn
from torch.nn import functional

import onnxray
from onnxray.images.profile.profile import Profile
from onnxray.methods.saliency.relevance import deeplift
from onnxray.methods.saliency.relevance.deeplift import DeepLIFT
from onnxray.methods.saliency.relevance.lrp import LRP
from support import exporting
from support.efficientnet import EfficientNetLite0
from support.squeezenet import squeezenet

ZOO = Path(os.environ.get("ONNXRAY_ZOO") or Path(__file__).parents[3] / "shared" / "zoo")
SQUEEZENET = ZOO / "squeezenet-v1.1-onnx" / "squeezenet_v1.1_fp32_from_fp16.onnx"
COMPOSITES = (
    "epsilon-plus", "epsilon-plus-flat", "epsilon-gamma-box", "epsilon-alpha2-beta1", "epsilon-alpha2-beta1-flat"
)  # fmt: skip
RELATIVE = 1e-5
EPSILON = 0.1
"""Of the transformer, whose sums of attention come near 0: at 1e-6, float32 is off float64 by a hundredth."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Their warnings are not ours; they import torchvision, whose binary need not fit."""
    exporting.allow_torchvision()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def needs(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")


def trained() -> tuple[onnxray.Model, nn.Module]:
    if not SQUEEZENET.exists():
        pytest.skip("the trained model is not beside this checkout")
    return onnxray.open(SQUEEZENET, "caffe-imagenet"), squeezenet(SQUEEZENET)


def pixel_order(model: onnxray.Model, array: torch.Tensor) -> NDArray[np.float32]:
    """(1, 3, H, W) of the network's own input, its channels as those of the pixels."""
    assert model.profile is not None
    found = array.detach().numpy()
    return found[:, ::-1] if model.profile.channels == "BGR" else found


def close(found: NDArray[Any], expected: NDArray[Any], relative: float) -> None:
    assert np.abs(expected).max() > 0
    assert np.abs(found - expected).max() <= relative * np.abs(expected).max()


def by_zennit(
    model: onnxray.Model,
    net: nn.Module,
    pixels: NDArray[Any],
    name: str,
    canonizers: list[Any],
    zero: list[str] | None = None,
) -> NDArray[Any]:
    """Their relevance of the class told, which begins with its logit, in the kind of float of the pixels."""
    from zennit import composites
    from zennit.attribution import Gradient

    assert model.profile is not None
    encode = model.profile.encode
    classes = {
        "epsilon-plus": composites.EpsilonPlus, "epsilon-plus-flat": composites.EpsilonPlusFlat,
        "epsilon-gamma-box": composites.EpsilonGammaBox, "epsilon-alpha2-beta1": composites.EpsilonAlpha2Beta1,
        "epsilon-alpha2-beta1-flat": composites.EpsilonAlpha2Beta1Flat,
    }  # fmt: skip
    box = {"low": torch.from_numpy(encode(np.zeros_like(pixels))), "high": torch.from_numpy(
        encode(np.full_like(pixels, 255)))} if name == "epsilon-gamma-box" else {}  # fmt: skip
    x = torch.from_numpy(encode(pixels)).requires_grad_()

    def begin(logits: torch.Tensor) -> torch.Tensor:
        return torch.where(logits == logits.amax(1, keepdim=True), logits, 0).detach()

    with Gradient(
        net.requires_grad_(True), classes[name](canonizers=canonizers, zero_params=zero, **box)
    ) as attributor:
        _, found = attributor(x, begin)
    return pixel_order(model, found)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_every_composite_on_squeezenet(composite: Any) -> None:
    needs("zennit")
    model, net = trained()
    pixels = model.pixels([ZOO / "data-photos" / "cat.jpg"]).array
    (item,) = LRP(composite=composite)(model, pixels).items
    close(item.attribution[None], by_zennit(model, net, pixels, composite, []), RELATIVE)
    assert abs(item.numbers_["conservation_gap"]) < 0.03


@pytest.mark.parametrize("composite", ["epsilon-plus", "epsilon-gamma-box", "epsilon-alpha2-beta1"])
def test_biases_left_out_of_the_rules(composite: Any) -> None:
    needs("zennit")
    model, net = trained()
    pixels = model.pixels([ZOO / "data-photos" / "cat.jpg"]).array
    (item,) = LRP(composite=composite, biases="ignored")(model, pixels).items
    close(item.attribution[None], by_zennit(model, net, pixels, composite, [], ["bias"]), RELATIVE)
    assert item.numbers_["kept_by_biases"] == 0


@pytest.mark.parametrize("composite", COMPOSITES)
def test_every_composite_on_efficientnet_lite0(lite0: EfficientNetLite0, composite: Any) -> None:
    """Residual sums and batch normalisation behind every convolution, with paddings of TensorFlow's.

    Of sums of positive and negative numbers little may be left: in float32 zennit itself is off its own relevance in
    float64 by up to a tenth. Four times that is let pass where it is more than 1e-5.
    """
    needs("zennit")
    from zennit.canonizers import AttributeCanonizer, NamedMergeBatchNorm
    from zennit.layer import Sum

    def summed(self: Any, inputs: torch.Tensor, drop_connect_rate: float | None = None) -> torch.Tensor:
        x = inputs
        if self._block_args.expand_ratio != 1:
            x = self._swish(self._bn0(self._expand_conv(inputs)))
        x = self._bn2(self._project_conv(self._swish(self._bn1(self._depthwise_conv(x)))))
        same = self._block_args.input_filters == self._block_args.output_filters
        if not (self.id_skip and self._block_args.stride == 1 and same):
            return x
        return self.canonizer_sum(torch.stack([x, inputs], -1))  # type: ignore[no-any-return]

    def attributes(name: str, module: nn.Module) -> dict[str, Any] | None:
        if type(module).__name__ != "MBConvBlock":
            return None
        return {"forward": summed.__get__(module), "canonizer_sum": Sum()}

    model = onnxray.open(lite0.path, lite0.profile)
    pixels = model.pixels([astronaut()]).array
    (item,) = LRP(composite=composite)(model, pixels).items
    pairs = (("_conv_stem", "_bn0"), ("_conv_head", "_bn1"), ("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"),
             ("_project_conv", "_bn2"))  # fmt: skip
    known = dict(lite0.network.named_modules())
    merged = [
        ([f"{prefix}{one}"], f"{prefix}{other}")
        for prefix in ("", *(f"{name}." for name in known if name.startswith("_blocks.") and name.count(".") == 1))
        for one, other in pairs
        if f"{prefix}{one}" in known
    ]
    canonizers = [NamedMergeBatchNorm(merged), AttributeCanonizer(attributes)]
    net, precise = copy.deepcopy(lite0.network), copy.deepcopy(lite0.network).double()  # a canoniser leaves its traces
    theirs = by_zennit(model, net, pixels, composite, canonizers)
    exact = by_zennit(model, precise, pixels.astype(np.float64), composite, canonizers)
    noise = float(np.abs(theirs - exact).max() / np.abs(exact).max())
    close(item.attribution[None], exact, max(RELATIVE, 4 * noise))


def unpooled(
    x: torch.Tensor, index: torch.Tensor, kernel: Any, stride: Any, padding: Any, size: list[int]
) -> torch.Tensor:
    """What several windows write to one place is added."""
    empty = x.new_zeros((*x.shape[:2], size[-2] * size[-1]))
    return empty.scatter_add(2, index.flatten(2), x.flatten(2)).reshape(*x.shape[:2], *size[-2:])


class Apart(nn.Module):
    """A tensor of its own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clone()


@pytest.mark.parametrize("baseline", ["mean", "random"])
def test_deeplift_on_squeezenet(baseline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("captum")
    from captum.attr import DeepLift

    model, net = trained()
    assert model.profile is not None
    pixels = model.pixels([ZOO / "data-photos" / "cat.jpg"]).array
    drawn = []

    def kept(*given: Any, own: Callable[..., Any] = deeplift.baselines, **named: Any) -> Any:
        drawn.append(own(*given, **named))
        return drawn[-1]

    monkeypatch.setattr(deeplift, "baselines", kept)
    (item,) = DeepLIFT(baseline=baseline, trials=1)(model, pixels).items
    start, x = (torch.from_numpy(model.profile.encode(array)) for array in (drawn[0], pixels))
    plain, delta = DeepLift(net).attribute(x, start, target=item.class_, return_convergence_delta=True)
    assert abs(float(delta)) > 1  # what overlapping windows lose
    monkeypatch.setattr(functional, "max_unpool2d", unpooled)
    for name, part in list(net.named_children()):
        if isinstance(part, nn.MaxPool2d):
            setattr(net, name, nn.Sequential(Apart(), part))
    theirs, delta = DeepLift(net).attribute(x, start, target=item.class_, return_convergence_delta=True)
    assert abs(float(delta)) < 1e-3
    close(item.attribution[None], pixel_order(model, theirs), 1e-4)
    assert item.numbers_["gap"] < 1e-5
    assert np.abs(item.attribution - pixel_order(model, plain)[0]).max() > 0.1 * np.abs(item.attribution).max()


class _Passed(torch.autograd.Function):
    """value; the relevance of x is that of the value."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> tuple[torch.Tensor, None]:
        return relevance[0], None


def by_lxt(net: Any, x: torch.Tensor, target: int) -> torch.Tensor:
    """AttnLRP of a vision transformer of timm: epsilon everywhere, activations and normalisations passed."""
    from lxt.explicit import functional as lf

    def dense(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        return lf.linear_epsilon(x, layer.weight, layer.bias, EPSILON)  # type: ignore[no-any-return]

    def passed(layer: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        return _Passed.apply(x, layer(x).detach())  # type: ignore[no-any-return,no-untyped-call]

    def attended(part: Any, x: torch.Tensor) -> torch.Tensor:
        n, tokens, width = x.shape
        parts = dense(part.qkv, x).reshape(n, tokens, 3, part.num_heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind(0)
        scores = lf.softmax(lf.matmul(passed(lambda q: q * part.scale, q), k.transpose(-2, -1)), -1)
        return dense(part.proj, lf.matmul(scores, v).transpose(1, 2).reshape(n, tokens, width))

    patches = net.patch_embed.proj
    folded = functional.unfold(x, patches.kernel_size, stride=patches.stride).transpose(1, 2)
    tokens = lf.linear_epsilon(folded, patches.weight.flatten(1), patches.bias, EPSILON)
    tokens = torch.cat([net.cls_token.expand(len(x), -1, -1), tokens], 1)
    tokens = lf.add2(tokens, net.pos_embed.expand_as(tokens))
    for block in net.blocks:
        tokens = lf.add2(tokens, attended(block.attn, passed(block.norm1, tokens)))
        hidden = passed(block.mlp.act, dense(block.mlp.fc1, passed(block.norm2, tokens)))
        tokens = lf.add2(tokens, dense(block.mlp.fc2, hidden))
    logits = dense(net.head, passed(net.norm, tokens)[:, 0])
    (found,) = torch.autograd.grad(logits[0, target], x, logits[0, target].detach())
    return found


def test_attention_on_a_vision_transformer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """lxt adds epsilon without a sign, and another one at sums, which what is near 0 makes much of: here as ours."""
    needs("timm")
    needs("lxt")
    from lxt.explicit import functional as theirs_own

    def signed(z: torch.Tensor, epsilon: float, inplace: bool = False) -> torch.Tensor:
        return z + torch.where(z < 0, -1.0, 1.0) * (epsilon if epsilon > 1e-7 else 1e-6)

    monkeypatch.setattr(theirs_own, "_stabilize", signed)
    net = exporting.calibrated(exporting.timm_network("test_vit", img_size=96), (96, 96))
    path = tmp_path / "net.onnx"
    exporting.export(net, (torch.zeros(1, 3, 96, 96),), exporting.Exporter(dynamo=False, opset=17), path)
    profile = Profile(
        name="half", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.5,) * 3, std=(0.25,) * 3, size=(96, 96)
    )
    model = onnxray.open(path, profile)
    pixels = astronaut()[40:232:2, 140:332:2].transpose(2, 0, 1)[None].astype(np.float32)
    (item,) = LRP(rule="epsilon", epsilon=EPSILON)(model, pixels).items
    x = torch.from_numpy(profile.encode(pixels))
    theirs, exact = (
        by_lxt(each, x.to(kind).requires_grad_(), int(item.class_ or 0)).numpy()
        for each, kind in ((net, torch.float32), (copy.deepcopy(net).double(), torch.float64))
    )
    noise = float(np.abs(theirs - exact).max() / np.abs(exact).max())
    close(item.attribution[None], exact, 4 * noise)
    assert noise < 5e-3
