"""Pictures as they are seen after transformations, and the way back of a gradient; by torch, imported when it is asked.

JPEG has no derivative: it is computed as it is, by Pillow, and passed straight through on the way back (Athalye,
Carlini, Wagner 2018). Everything else is differentiated.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxray.images.eight_bits import to_uint8
from onnxray.methods.attack.physical.transformations import Draw

if TYPE_CHECKING:
    import torch

Floats = NDArray[Any]
_BELOW = 0.05
"""Pixels: a Gaussian that is narrower blurs nothing."""


@dataclass(frozen=True, eq=False)
class Views:
    """array: float32 (n, channels, height, width) in [0, 255], back: a gradient at them to the one at what was seen."""

    array: Floats
    back: Callable[[Floats], Floats]


def differentiated(x: Floats, seen: Callable[[torch.Tensor], torch.Tensor]) -> Views:
    """What a function of torch makes of x, and its way back."""
    import torch

    with torch.enable_grad():
        leaf = torch.tensor(x, dtype=torch.float32, requires_grad=True)
        result = seen(leaf)

    def back(gradient: Floats) -> Floats:
        given = torch.from_numpy(np.array(gradient, np.float32))
        (found,) = torch.autograd.grad(result, leaf, given, retain_graph=True)
        return np.asarray(found.numpy())

    return Views(result.detach().numpy(), back)


def viewed(x: Floats, draws: Sequence[Draw]) -> Views:
    """Pictures x (n, channels, height, width), each after its own draw; edges are repeated outwards."""
    return differentiated(x, lambda leaf: photographed(warped(leaf, draws), draws))


def warped(x: torch.Tensor, draws: Sequence[Draw]) -> torch.Tensor:
    """x'(p) = x(R_phi (p - m) / s + m - t), p pixel centres, m the middle, t the shift; itself where nothing moves."""
    import torch
    from torch.nn import functional

    from onnxray.methods.synthesis.ascent.transforms import Similarity

    if all((one.scale, one.rotation, one.shift) == (1.0, 0.0, (0.0, 0.0)) for one in draws):
        return x
    height, width = x.shape[2:]
    matrices = [
        Similarity.matrix(
            one.scale, math.radians(one.rotation), -one.shift[0] * height, -one.shift[1] * width, height, width
        )
        for one in draws
    ]
    grid = functional.affine_grid(torch.cat(matrices), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def photographed(x: torch.Tensor, draws: Sequence[Draw]) -> torch.Tensor:
    """Blur, contrast, brightness, noise, what can be shown, JPEG."""
    import torch

    def column(values: Sequence[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1, 1)

    x = _blurred(x, [one.blur for one in draws])
    x = (x - 127.5) * column([one.contrast for one in draws]) + 127.5 + column([one.brightness for one in draws])
    if any(one.noise is not None for one in draws):
        none = np.zeros(x.shape[1:], np.float32)
        x = x + torch.from_numpy(np.stack([none if one.noise is None else one.noise for one in draws]))
    x = x.clamp(0, 255)
    qualities = [one.quality for one in draws]
    if any(quality is not None for quality in qualities):
        shown = x.detach().numpy()
        read = [one if quality is None else _jpeg(one, quality) for one, quality in zip(shown, qualities)]
        x = x + torch.from_numpy(np.stack(read) - shown)
    return x


def _blurred(x: torch.Tensor, sigmas: Sequence[float]) -> torch.Tensor:
    """Each with its own Gaussian, rows and columns apart, edges repeated."""
    import torch
    from torch.nn import functional

    reach = math.ceil(3 * max(sigmas))
    if max(sigmas) < _BELOW:
        return x
    count, channels, height, width = x.shape
    places = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernels = torch.stack([torch.exp(-(places**2) / (2 * max(sigma, _BELOW) ** 2)) for sigma in sigmas])
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    flat = functional.pad(x.reshape(1, count * channels, height, width), [reach] * 4, mode="replicate")
    flat = functional.conv2d(flat, kernels[:, None, :, None], groups=count * channels)
    return functional.conv2d(flat, kernels[:, None, None, :], groups=count * channels).reshape(x.shape)


def _jpeg(picture: Floats, quality: int) -> Floats:
    """A picture (channels, height, width) out of the JPEG file that it is saved as."""
    whole = to_uint8(picture)
    stream = io.BytesIO()
    Image.fromarray(whole[0] if len(whole) == 1 else whole.transpose(1, 2, 0)).save(stream, "JPEG", quality=quality)
    read = np.asarray(Image.open(stream), np.float32)
    return read[None] if read.ndim == 2 else np.ascontiguousarray(read.transpose(2, 0, 1))
