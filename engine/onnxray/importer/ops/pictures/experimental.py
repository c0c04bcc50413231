"""Operators that were experimental in opset 1: the standard dropped them, ONNX Runtime computes them up to opset 9.

CoreML's converter writes Affine, ImageScaler and Crop in front of its networks, other old converters the rest.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions


class Affine(nn.Module):
    """alpha x + beta."""

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute."""
        return x * self.alpha + self.beta


class ImageScaler(nn.Module):
    """scale x + bias_c of pictures (N, C, H, W), a bias a channel."""

    bias: torch.Tensor

    def __init__(self, scale: float, bias: list[float]) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("bias", torch.tensor(bias).reshape(-1, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute."""
        return x * self.scale + self.bias.to(x.dtype)


class Crop(nn.Module):
    """x (N, C, H, W) without a border of left, top, right, bottom; ``size``: so many rows and columns of it."""

    def __init__(self, border: tuple[int, int, int, int], size: tuple[int, int] | None) -> None:
        super().__init__()
        self.border, self.size = border, size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Cut."""
        left, top, right, bottom = self.border
        height, width = self.size or (x.shape[2] - top - bottom, x.shape[3] - left - right)
        return x[:, :, top : top + height, left : left + width]


class ScaledTanh(nn.Module):
    """alpha tanh(beta x)."""

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute."""
        return self.alpha * torch.tanh(self.beta * x)


class ParametricSoftplus(nn.Module):
    """alpha log(1 + exp(beta x))."""

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute."""
        return self.alpha * functional.softplus(self.beta * x, threshold=40.0)  # from there on exact in float64 too


def _both(scope: Scope) -> tuple[float, float]:
    """alpha and beta, which have no default that is surely known."""
    numbers = [scope.attributes.get(name) for name in ("alpha", "beta")]
    if None in numbers:
        raise scope.refuse("its alpha or beta is left out, for which no default is known")
    return float(numbers[0]), float(numbers[1])  # type: ignore[arg-type]


def _affine(scope: Scope) -> Converted:
    return Converted(Affine(*_both(scope)), scope.node.inputs)


def _scale(scope: Scope) -> Converted:
    return Converted(Affine(float(scope.attributes.get("scale", 1.0)), 0.0), scope.node.inputs)


def _image_scaler(scope: Scope) -> Converted:
    bias = [float(number) for number in scope.attributes.get("bias", ())]
    value = scope.graph.values.get(scope.input(0))
    channels = value.shape[1] if value is not None and value.shape is not None and len(value.shape) == 4 else None
    if not bias or (isinstance(channels, int) and channels != len(bias)):
        raise scope.refuse(f"its bias holds {len(bias)} numbers; one a channel was expected")
    return Converted(ImageScaler(float(scope.attributes.get("scale", 1.0)), bias), scope.node.inputs)


def _crop(scope: Scope) -> Converted:
    border, size = (tuple(int(n) for n in scope.attributes.get(name, ())) for name in ("border", "scale"))
    if len(border) != 4 or min(border) < 0 or len(size) not in {0, 2} or min(size, default=1) < 1:
        raise scope.refuse(
            f"its border is {list(border)} and its scale {list(size)}; 4 numbers, and 2 or none, are known"
        )
    left, top, right, bottom = border
    return Converted(Crop((left, top, right, bottom), (size[0], size[1]) if size else None), scope.node.inputs)


def _scaled_tanh(scope: Scope) -> Converted:
    return Converted(ScaledTanh(*_both(scope)), scope.node.inputs)


def _parametric_softplus(scope: Scope) -> Converted:
    return Converted(ParametricSoftplus(*_both(scope)), scope.node.inputs)


_OPSETS = tuple(range(1, 10))
"""The standard has no versions of what it does not know, so it is the file's opset that is looked up."""

CONVERTERS: Converters = {
    **for_versions("Affine", _OPSETS, _affine),
    **for_versions("Scale", _OPSETS, _scale),
    **for_versions("ImageScaler", _OPSETS, _image_scaler),
    **for_versions("Crop", _OPSETS, _crop),
    **for_versions("ScaledTanh", _OPSETS, _scaled_tanh),
    **for_versions("ParametricSoftplus", _OPSETS, _parametric_softplus),
}
