"""Networks of timm and torch.nn as ONNX files by torch's exporters, and the check of a file against its network."""

import contextlib
import copy
import dataclasses
import io
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

import onnxray
from onnxray.engines.seeded_inputs import seeded_pixels
from onnxray.images.profile.profile import Profile

Array = NDArray[Any]

TOLERANCE = 1e-3
"""Outputs: the largest difference, relative to the largest number that ONNX Runtime gives."""
COSINE = 0.999
"""Gradients: the smallest cosine to that of the network in float64; where the network itself in float32 is further off
than this (a few ReLUs flip), four times its own distance is let pass."""
_OTHER_NETWORK = 2e-2
_SCALE, _MEAN, _STD = 1 / 255, 0.5, 0.25
_CLASSES = 40
_LEAST_GAIN = 0.7

_TORCHVISION = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_kept: list[torch.library.Library] = []


@dataclass(frozen=True)
class Exporter:
    """One of torch's two exporters at one opset."""

    dynamo: bool
    opset: int

    @property
    def name(self) -> str:
        return f"{'dynamo' if self.dynamo else 'legacy'}-{self.opset}"


class ExporterFailed(Exception):
    """The exporter writes no file, or one that ONNX Runtime runs to other numbers than the network's."""


class JudgeChanges(Exception):
    """ONNX Runtime gives the network's numbers without its optimisations alone; onnxray takes it at its default."""


class Wrong(AssertionError):
    """The twin's numbers are not those of ONNX Runtime, or its gradient not that of the network."""


@dataclass(frozen=True)
class Reference:
    """Two images, a cotangent for each, and what the network itself makes of them in float64.

    gradient: of the model's input. noise: 1 - cosine to that gradient of the network's own in float32, for each image.
    """

    pixels: Array
    cotangent: Array
    outputs: Array
    gradient: Array
    noise: Array

    def save(self, path: Path) -> None:
        np.savez(path, **dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Reference":
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})

    @property
    def inputs(self) -> Array:
        return encoded(self.pixels)


def encoded(pixels: Array) -> Array:
    """Pixels as the networks take them."""
    return ((pixels * np.float32(_SCALE) - np.float32(_MEAN)) / np.float32(_STD)).astype(np.float32)


@dataclass(frozen=True)
class Finding:
    """``relative``: the outputs' difference; ``cosine``: the gradients'. ``batch``: by which way two samples went
    through a file exported at one, as ``Model.batch`` tells."""

    relative: float
    cosine: float
    batch: str


def allow_torchvision() -> None:
    """Define the two schemas without which a torchvision whose binary does not fit torch dies at import."""
    if "torchvision" in sys.modules:
        return
    with contextlib.suppress(RuntimeError, AttributeError):
        torch.ops.torchvision.nms.default  # noqa: B018
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(name + _TORCHVISION)
    _kept.append(library)


def timm_network(name: str, *, fused_attention: bool = True, **options: Any) -> nn.Module:
    """A network of timm with seeded weights, none of whose branches is zero, in eval mode."""
    allow_torchvision()
    import timm

    torch.manual_seed(0)
    timm.layers.set_fused_attn(fused_attention)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = timm.create_model(name, num_classes=_CLASSES, **options)
    return nudged(net)


def nudged(net: nn.Module) -> nn.Module:
    """Move every parameter off its initial value, so that scales and gates that begin at zero or 1e-6 do something.

    Linear layers that begin small (transformers') are made larger: else the output hardly depends on the picture.
    """
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            draw = torch.randn(parameter.shape, generator=generator)
            first = float(parameter.flatten()[0])
            if parameter.numel() > 1 and float(parameter.std()) > 0:
                parameter += 0.05 * parameter.std() * draw
            elif abs(first) >= 0.1:
                parameter.mul_(1 + 0.1 * draw)
            elif parameter.ndim > 1 or name.endswith("bias"):
                parameter.copy_(0.1 * draw)
            else:
                parameter.copy_(0.3 + 0.1 * draw)
        for part in net.modules():
            if isinstance(part, nn.Linear | nn.Conv2d) and part.weight.numel() > 1:
                least = _LEAST_GAIN / (part.weight.numel() / len(part.weight)) ** 0.5
                part.weight *= max(1.0, least / float(part.weight.std()))
    return net.eval()


def calibrated(net: nn.Module, size: tuple[int, int]) -> nn.Module:
    """Give every BatchNorm the statistics of eight pictures, as training would: values stay of a middling size."""
    norms = [part for part in net.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    norms = [part for part in norms if part.running_mean is not None]
    if not norms:
        return net
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum, norm.training = None, True
    pictures = np.concatenate([seeded_pixels((3, *size), seed=seed) for seed in range(1, 5)])
    torch.manual_seed(2)
    with torch.no_grad():
        net(torch.from_numpy(encoded(pictures)))
        for norm in norms:
            norm.training, norm.momentum = False, 0.1
            norm.running_var.clamp_(min=1e-2)
    return net


def reference_of(net: nn.Module, size: tuple[int, int]) -> Reference:
    """Run the network itself on two images."""
    pixels = seeded_pixels((3, *size))
    x = torch.from_numpy(encoded(pixels))
    y, gradient, cotangent = _pulled_back(copy.deepcopy(net).double(), x.double())
    _, rough, _ = _pulled_back(net, x)
    noise = np.array([1 - _cosine(gradient[k], rough[k]) for k in range(2)])
    return Reference(pixels, cotangent.astype(np.float32), y, gradient, noise)


def _pulled_back(net: nn.Module, x: torch.Tensor) -> tuple[Array, Array, Array]:
    """The output, the gradient of the input, and the random cotangent that it is of."""
    x = x.clone().requires_grad_()
    y = net(x)
    cotangent = torch.randn(y.shape, generator=torch.Generator().manual_seed(3))
    gradient = torch.autograd.grad(y, x, cotangent.to(y))[0]
    return y.detach().numpy(), gradient.numpy(), cotangent.numpy()


def export(net: nn.Module, inputs: tuple[torch.Tensor, ...], exporter: Exporter, path: Path) -> None:
    """Write the file. Errors: ExporterFailed with the first line of what the exporter says."""
    try:
        with quiet(), torch.no_grad():
            if exporter.dynamo:
                program = torch.onnx.export(net, inputs, dynamo=True, opset_version=exporter.opset, verbose=False)
                written = program.model.opset_imports.get("")
                if written != exporter.opset:
                    raise ExporterFailed(f"it writes opset {written}")
                program.save(path, external_data=False)
            else:
                torch.onnx.export(net, inputs, path, dynamo=False, opset_version=exporter.opset)
    except ExporterFailed:
        raise
    except Exception as error:
        path.unlink(missing_ok=True)
        root: BaseException = error
        while root.__cause__ is not None:
            root = root.__cause__
        lines = [line.strip() for line in str(root).splitlines() if line.strip()]
        raise ExporterFailed(f"{type(root).__name__}: {lines[0][:160] if lines else ''}") from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The exporters warn, log and print; none of it is ours."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def check(path: Path, reference: Reference) -> Finding:
    """Compare the file in onnxray with ONNX Runtime and with the network: one sample, then two.

    Errors: Wrong, ExporterFailed, JudgeChanges (then module and network agree all the same), OnnxrayError.
    """
    x = torch.from_numpy(reference.inputs)
    judge = _judged(path, reference.inputs, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
    apart = _apart(reference.outputs, judge)
    if not apart < _OTHER_NETWORK:
        plain = _judged(path, reference.inputs, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
        if not _apart(reference.outputs, plain) < _OTHER_NETWORK:
            raise ExporterFailed(f"its file gives other numbers than the network: {apart:.2g} relative")
        _one_sample(onnxray.to_torch(path, verify=False), x[:1], plain, reference)
        raise JudgeChanges(f"ONNX Runtime's optimisations move the output by {apart:.2g}; without them all agrees")
    twin = onnxray.to_torch(path)
    relative, cosine = _one_sample(twin, x[:1], judge, reference)
    profile = Profile(
        name="sweep", layout="NCHW", channels="RGB", scale=_SCALE, mean=(_MEAN,) * 3, std=(_STD,) * 3,
        size=reference.pixels.shape[2:],
    )  # fmt: skip
    model = onnxray.open(path, profile)
    output = model.graph.outputs[0].name
    found = model.values(reference.pixels, [output], engine="twin")[output]
    relative = max(relative, _relative("output of two samples", judge, found))
    pulled = model.pullback(reference.pixels, {output: reference.cotangent})
    for k in range(2):
        expected = reference.gradient[k] * (_SCALE / _STD)
        cosine = min(cosine, _same_direction(f"gradient of sample {k} of two", expected, pulled[k], reference.noise[k]))
    with torch.no_grad():
        relative = max(relative, _relative("output of two samples by the module", judge, twin(x).numpy()))
    return Finding(relative, cosine, model.batch().twin)


def _one_sample(twin: nn.Module, x: torch.Tensor, judge: Array, reference: Reference) -> tuple[float, float]:
    """The output's difference and the gradient's cosine."""
    x = x.clone().requires_grad_()
    y = twin(x)
    relative = _relative("output", judge[:1], y.detach().numpy())
    gradient = torch.autograd.grad(y, x, torch.from_numpy(reference.cotangent[:1]))[0].numpy()
    return relative, _same_direction("gradient", reference.gradient[:1], gradient, reference.noise[0])


def _judged(path: Path, inputs: Array, level: onnxruntime.GraphOptimizationLevel) -> Array:
    """What a plain session says of each sample alone."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.graph_optimization_level = 4, level
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        fed = session.get_inputs()[0]
        return np.concatenate([session.run(None, {fed.name: x[None]})[0] for x in inputs])
    except Exception as error:
        raise ExporterFailed(f"ONNX Runtime refuses the file: {str(error)[:120]}") from None


def _apart(expected: Array, found: Array) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _relative(what: str, expected: Array, found: Array) -> float:
    if expected.shape != found.shape:
        raise Wrong(f"{what}: shape {found.shape}, ONNX Runtime's is {expected.shape}")
    relative = _apart(expected, found)
    if not relative <= TOLERANCE:
        raise Wrong(f"{what}: {relative:.2g} relative")
    return relative


def _same_direction(what: str, expected: Array, found: Array, noise: float) -> float:
    if not np.isfinite(found).all() or not found.any():
        raise Wrong(f"{what}: not finite, or zero everywhere")
    cosine = _cosine(expected, found)
    ratio = float(np.linalg.norm(found) / np.linalg.norm(expected))
    allowed = max(1 - COSINE, 4 * float(noise))
    if not (1 - cosine <= allowed and abs(ratio - 1) <= 20 * allowed):
        raise Wrong(
            f"{what}: cosine {cosine:.4f}, norm {ratio:.3f} of the network's own, whose noise is {float(noise):.2g}"
        )
    return cosine


def _cosine(a: Array, b: Array) -> float:
    a, b = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def as_row(finding: Finding) -> Mapping[str, Any]:
    """For JSON."""
    return {
        "relative": finding.relative, "cosine": finding.cosine, "batch": finding.batch,
    }  # fmt: skip
