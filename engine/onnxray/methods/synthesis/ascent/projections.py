"""What is done to the pixels after each step: bounds, decay, blur, small-norm clipping, denoising. Frozen values.

x in grey levels. They act on the pixel parametrisation; each takes the image, its gradient at this step, and the step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional


class Projection(ABC):
    """x (N, C, H, W) -> x."""

    @abstractmethod
    def __call__(self, x: torch.Tensor, gradient: torch.Tensor, step: int) -> torch.Tensor:
        """The projected image."""


@dataclass(frozen=True, kw_only=True)
class Bounds(Projection):
    """min(max(x, low), high)."""

    low: float = 0.0
    high: float = 255.0

    def __call__(self, x: torch.Tensor, gradient: torch.Tensor, step: int) -> torch.Tensor:
        """Clipped."""
        return x.clamp(self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Decay(Projection):
    """c + (1 - rate) (x - c): L2 decay towards ``centre`` (Yosinski et al. 2015)."""

    rate: float
    centre: tuple[float, ...] = (0.0,)

    def __call__(self, x: torch.Tensor, gradient: torch.Tensor, step: int) -> torch.Tensor:
        """Decayed."""
        centre = torch.tensor(self.centre, dtype=x.dtype).reshape(1, -1, 1, 1)
        return centre + (1 - self.rate) * (x - centre)


@dataclass(frozen=True, kw_only=True)
class Blur(Projection):
    """A Gaussian blur of ``radius`` pixels (its sigma), every ``every`` steps, cut off at 4 sigma, edges mirrored."""

    radius: float
    every: int = 4

    def __call__(self, x: torch.Tensor, gradient: torch.Tensor, step: int) -> torch.Tensor:
        """Blurred, or as it is."""
        return x if step % self.every else gaussian_blur(x, self.radius)


def gaussian_blur(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """Separable Gaussian blur as scipy's gaussian_filter: 4 sigma, half-sample symmetric edges."""
    reach = int(4 * sigma + 0.5)
    if reach < 1:
        return x
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=x.dtype) / sigma) ** 2)
    taps = taps / taps.sum()
    for axis in (2, 3):
        index = torch.arange(-reach, x.shape[axis] + reach)
        period = 2 * x.shape[axis]
        index = index % period
        index = torch.where(index < x.shape[axis], index, period - 1 - index)
        kernel = taps.reshape(1, 1, *((-1, 1) if axis == 2 else (1, -1))).repeat(x.shape[1], 1, 1, 1)
        x = functional.conv2d(x.index_select(axis, index), kernel, groups=x.shape[1])
    return x


@dataclass(frozen=True, kw_only=True)
class SmallNorm(Projection):
    """Pixels whose colour norm about ``centre`` is below the ``percentile`` of the image's become the centre."""

    percentile: float
    centre: tuple[float, ...] = (0.0,)

    def __call__(self, x: torch.Tensor, gradient: torch.Tensor, step: int) -> torch.Tensor:
        """Clipped."""
        centre = torch.tensor(self.centre, dtype=x.dtype).reshape(1, -1, 1, 1)
        return _kept((x - centre).square().sum(1).sqrt(), self.percentile, x, centre)


@dataclass(frozen=True, kw_only=True)
class SmallContribution(Projection):
    """Pixels whose |sum_c -x_c g_c| is below the ``percentile`` become the centre (Yosinski's abs-benefit)."""

    percentile: float
    centre: tuple[float, ...] = (0.0,)

    def __call__(self, x: torch.Tensor, gradient: torch.Tensor, step: int) -> torch.Tensor:
        """Clipped."""
        centre = torch.tensor(self.centre, dtype=x.dtype).reshape(1, -1, 1, 1)
        return _kept(((x - centre) * gradient).sum(1).abs(), self.percentile, x, centre)


def _kept(size: torch.Tensor, percentile: float, x: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
    if percentile <= 0:
        return x
    least = torch.quantile(size.flatten(1), percentile / 100, dim=1).reshape(-1, 1, 1)
    return torch.where((size < least)[:, None], centre, x)


@dataclass(frozen=True, kw_only=True)
class ColourNorm(Projection):
    """c + (x - c) min(1, most / ||x_p - c||) at each pixel p, the norm over its colours (Mahendran & Vedaldi 2016)."""

    most: float
    centre: tuple[float, ...] = (0.0,)

    def __call__(self, x: torch.Tensor, gradient: torch.Tensor, step: int) -> torch.Tensor:
        """Projected."""
        centre = torch.tensor(self.centre, dtype=x.dtype).reshape(1, -1, 1, 1)
        moved = x - centre
        norm = moved.square().sum(1, keepdim=True).sqrt()
        return torch.where(norm > self.most, centre + moved * (self.most / norm), x)


@dataclass(frozen=True, kw_only=True)
class Denoise(Projection):
    """Split Bregman for sum_p |grad u_p| + w / 2 ||u - x||^2, each colour alone (Nguyen et al. 2016, MFV).

        u <- (2 w (sum of u's 4 neighbours + div(d - b)) + w x) / 9 w,  t = grad u + b,  d <- t (1 - 1 / (2 w |t| + 1)),
        b <- t - d;   100 times, or until u changes by less than 0.001 (root mean square)

    w falls or grows linearly from ``start`` to ``end`` over ``steps``; the smaller, the smoother. This is
    scikit-image's ``denoise_tv_bregman``, which the authors call, with what it has of its own: the shrinkage of t is
    not quite a total variation's, and the pixels beyond the edges stay as they begin, so that the mean may move. Each
    colour goes through it alone, for its ``channel_axis`` hands a colour's d and b what the last one came to. The
    authors' ramp of w ends near ``start`` + ``end``, by a bracket in the wrong place; this one ends where it says.
    """

    start: float
    end: float
    steps: int

    def __call__(self, x: torch.Tensor, gradient: torch.Tensor, step: int) -> torch.Tensor:
        """Denoised."""
        from skimage.restoration import denoise_tv_bregman

        weight = self.start + (self.end - self.start) * step / max(1, self.steps - 1)
        planes = x.detach().flatten(0, 1).cpu().numpy()
        found = [denoise_tv_bregman(plane, weight=weight, max_num_iter=100, eps=1e-3) for plane in planes]
        return torch.from_numpy(np.stack(found)).to(x).reshape(x.shape)  # an axis of length 1 was squeezed
