"""What an ascent varies, and the image that it stands for: pixels, a window of them, coefficients of a Fourier basis.

Every image is float32 (N, channels, height, width) in grey levels. A parametrisation is a frozen value; its state is a
tuple of tensors that the ascent holds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from onnxray.errors import InputError

Tensors = tuple[torch.Tensor, ...]
Shape = tuple[int, int, int, int]

COLOUR_CORRELATION = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""Square root of the covariance of ImageNet's colours (lucid, Olah et al. 2017)."""


class Parametrization(ABC):
    """A way to write images down."""

    @abstractmethod
    def start(self, shape: Shape, random: torch.Generator, image: torch.Tensor | None) -> Tensors:
        """Parameters to start from: random ones, or those of ``image``. Errors: InputError where it takes no image."""

    @abstractmethod
    def image(self, parameters: Tensors) -> torch.Tensor:
        """The images that parameters stand for, differentiable."""

    def whole(self, parameters: Tensors) -> torch.Tensor:
        """What those images are windows of; by default they are whole."""
        return self.image(parameters)

    def moving(self, parameters: Tensors) -> list[torch.Tensor]:
        """Those that an ascent varies; the rest is constant."""
        return [parameters[0]]

    def drift(self, parameters: Tensors, image: torch.Tensor, random: torch.Generator) -> torch.Tensor | None:
        """What is added to the gradient that is climbed, of the parameter that moves; nothing here."""
        return None

    def settle(self, parameters: Tensors, random: torch.Generator) -> None:  # noqa: B027
        """What is done to the parameters after each step, in place; nothing here."""


@dataclass(frozen=True, kw_only=True)
class Pixels(Parametrization):
    """x itself. Without an image it starts at ``mean`` + N(0, ``noise``^2), in grey levels."""

    mean: tuple[float, ...] = (127.5,)
    noise: float = 10.0

    def start(self, shape: Shape, random: torch.Generator, image: torch.Tensor | None) -> Tensors:
        """The image in the middle, its edges replicated outwards; or noise. Errors: InputError where it is larger."""
        if image is not None:
            return (_padded(image, shape),)
        mean = torch.tensor(self.mean).reshape(1, -1, 1, 1)
        return (mean + self.noise * torch.randn(shape, generator=random),)

    def image(self, parameters: Tensors) -> torch.Tensor:
        """The parameter."""
        return parameters[0]


@dataclass(frozen=True, kw_only=True)
class Windowed(Pixels):
    """A window, of the model's size, of a canvas ``zoom`` times as large; another after each step (Nguyen et al. 2016).

    The window's corner along a side: clip(N(play / 2, (spread play)^2), 0, play), rounded down, play = canvas - window.
    The same for all images. Along its edges it is held as it is: ``margin``, a share of each side. A start is enlarged
    or reduced to the canvas bilinearly. What an ascent keeps as the best is a window.
    """

    zoom: float = 1.0
    spread: float = 0.3
    margin: float = 0.0

    def start(self, shape: Shape, random: torch.Generator, image: torch.Tensor | None) -> Tensors:
        """The canvas from the image or from noise, and the first window of it."""
        size = (round(self.zoom * shape[2]), round(self.zoom * shape[3]))
        if image is None:
            (canvas,) = super().start((*shape[:2], *size), random, None)
        elif image.shape[:2] != shape[:2]:
            raise InputError(
                f"the start has the shape {list(image.shape)}; {list(shape[:2])}, of any size, was expected"
            )
        else:
            canvas = torch.nn.functional.interpolate(image, size, mode="bilinear", align_corners=False)
        parameters = (torch.empty(shape), canvas.clone(), torch.zeros(2, dtype=torch.int64))
        self._move(parameters, random)
        return parameters

    def image(self, parameters: Tensors) -> torch.Tensor:
        """The window; its margin is constant."""
        x = parameters[0]
        rows, columns = (round(self.margin * side) for side in x.shape[2:])
        if not rows and not columns:
            return x
        inside = torch.zeros(x.shape[2:], dtype=torch.bool)
        inside[rows : x.shape[2] - rows, columns : x.shape[3] - columns] = True
        return torch.where(inside, x, x.detach())

    def whole(self, parameters: Tensors) -> torch.Tensor:
        """The canvas, with the window as it is now."""
        canvas = parameters[1].clone()
        canvas[self._place(parameters)] = parameters[0].detach()
        return canvas

    def settle(self, parameters: Tensors, random: torch.Generator) -> None:
        """The window goes back into the canvas, and another is taken."""
        with torch.no_grad():
            parameters[1][self._place(parameters)] = parameters[0]
            self._move(parameters, random)

    def _move(self, parameters: Tensors, random: torch.Generator) -> None:
        window, canvas, corner = parameters
        for axis in (0, 1):
            play = canvas.shape[2 + axis] - window.shape[2 + axis]
            drawn = play / 2 + self.spread * play * float(torch.randn((), generator=random))
            corner[axis] = int(min(max(drawn, 0), play))
        window.copy_(canvas[self._place(parameters)])

    @staticmethod
    def _place(parameters: Tensors) -> tuple[slice, ...]:
        top, left = parameters[2].tolist()
        height, width = parameters[0].shape[2:]
        return slice(None), slice(None), slice(top, top + height), slice(left, left + width)


@dataclass(frozen=True, kw_only=True)
class Fourier(Parametrization):
    """255 * sigmoid(C irfft2(s_f z_f) / 4): the parametrisation of lucid (Olah, Mordvintsev, Schubert 2017).

    z: complex coefficients, N(0, 0.01^2); s_f = sqrt(w h) / max(f, 1 / max(w, h)), f the frequency in cycles a pixel;
    C decorrelates colours, by the square root of ImageNet's colour covariance over its largest column norm. Grey images
    have no colours to decorrelate.
    """

    deviation: float = 0.01
    decay: float = 1.0
    decorrelated: bool = True

    def start(self, shape: Shape, random: torch.Generator, image: torch.Tensor | None) -> Tensors:
        """Random coefficients."""
        if image is not None:
            raise InputError(
                "the Fourier parametrisation starts from noise; use the pixel parametrisation for an image"
            )
        count, channels, height, width = shape
        size = (count, channels, height, width // 2 + 1, 2)
        coefficients = torch.randn(size, generator=random) * self.deviation
        # The width cannot be told from the coefficients alone: rfft of 6 and of 7 columns has as many.
        spectrum = _spectrum(height, width, self.decay)
        return coefficients, torch.tensor(width), (spectrum / 4)[:, :, None], _colours()

    def image(self, parameters: Tensors) -> torch.Tensor:
        """The images."""
        z, width, spectrum, colours = parameters[0], int(parameters[1]), *parameters[2:]
        flat: torch.Tensor = _Inverse.apply(torch.view_as_complex(z * spectrum), width)  # type: ignore[no-untyped-call]
        if self.decorrelated and z.shape[1] == 3:
            flat = torch.matmul(colours, flat.flatten(2)).reshape(flat.shape)
        return 255 * torch.sigmoid(flat)


def _padded(image: torch.Tensor, shape: Shape) -> torch.Tensor:
    rows, columns = shape[2] - image.shape[2], shape[3] - image.shape[3]
    if rows < 0 or columns < 0 or image.shape[:2] != shape[:2]:
        raise InputError(f"the start has the shape {list(image.shape)}; {list(shape)} at most was expected")
    sides = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return torch.nn.functional.pad(image, sides, mode="replicate").clone()


class _Inverse(torch.autograd.Function):
    """irfft2, and its derivative axis after axis: the same bits as torch's.

    torch's own transforms both axes at once, and its threads wait for each other: where another process has one of the
    cores that takes twenty times as long.
    """

    @staticmethod
    def forward(ctx: Any, z: torch.Tensor, width: int) -> torch.Tensor:
        """(N, C, H, width // 2 + 1) -> (N, C, H, width)."""
        image: torch.Tensor = torch.fft.irfft2(z, s=(z.shape[2], width))
        return image

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        """rfft2(g) / (H W), twice that where a column stands for its mirror image too."""
        height, width = gradient.shape[2:]
        rows = torch.fft.rfft(gradient) * (1 / (height * width))
        rows[..., 1 : width - width // 2] *= 2
        return torch.fft.fft(rows, dim=2), None


def _spectrum(height: int, width: int, decay: float) -> torch.Tensor:
    rows = np.fft.fftfreq(height)[:, None]
    columns = np.fft.rfftfreq(width)[None]
    frequency = np.maximum(np.sqrt(rows**2 + columns**2), 1 / max(width, height))
    return torch.from_numpy((np.sqrt(width * height) / frequency**decay).astype(np.float32))


def _colours() -> torch.Tensor:
    matrix = np.array(COLOUR_CORRELATION)
    return torch.from_numpy((matrix / np.linalg.norm(matrix, axis=0).max()).astype(np.float32))
