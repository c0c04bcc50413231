"""What an ascent pays for: a number an image, subtracted from its objective. x is in grey levels, (N, C, H, W)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch.nn import functional

from onnxray.errors import InputError


class Regularizer(ABC):
    """weight * R(x), for each image."""

    weight: float

    @property
    @abstractmethod
    def name(self) -> str:
        """What the trace calls it."""

    @abstractmethod
    def penalty(self, x: torch.Tensor) -> torch.Tensor:
        """R(x), (N,); the weight left out."""


@dataclass(frozen=True, kw_only=True)
class TotalVariation(Regularizer):
    """sum_ij ((x_{i,j+1} - x_{ij})^2 + (x_{i+1,j} - x_{ij})^2)^(beta / 2), summed over colours, times ``scale``.

    Forward differences, edges replicated (Mahendran & Vedaldi 2015; beta = 1 is Rudin, Osher and Fatemi's). But for
    beta = 2, ``floor`` is added to the squares: it makes the root smooth where nothing varies.
    """

    weight: float
    beta: float = 2.0
    scale: float = 1.0
    floor: float = 1e-5

    @property
    def name(self) -> str:
        """total variation, and its exponent."""
        return f"total-variation-{self.beta:g}"

    def penalty(self, x: torch.Tensor) -> torch.Tensor:
        """V(x)."""
        padded = functional.pad(x, (0, 1, 0, 1), mode="replicate")
        across, down = padded[..., :-1, 1:] - x, padded[..., 1:, :-1] - x
        squared = across**2 + down**2
        if self.beta != 2:
            squared = (squared + self.floor) ** (self.beta / 2)
        return squared.flatten(1).sum(1) * self.scale


@dataclass(frozen=True, kw_only=True)
class AlphaNorm(Regularizer):
    """sum |x - centre|^alpha, times ``scale``; ``by_pixel``: of the colour norm of each pixel.

    alpha = 6: Mahendran & Vedaldi 2015; alpha = 2: the L2 of Simonyan et al. 2013. Errors: InputError for an exponent
    whose gradient is not finite at the centre: below 1, below 2 ``by_pixel``.
    """

    weight: float
    alpha: float = 6.0
    centre: tuple[float, ...] = (0.0,)
    scale: float = 1.0
    by_pixel: bool = False

    def __post_init__(self) -> None:
        if not self.alpha >= (2 if self.by_pixel else 1):
            raise InputError(f"alpha is {self.alpha}; at least {2 if self.by_pixel else 1} was expected")

    @property
    def name(self) -> str:
        """The exponent."""
        return f"norm-{self.alpha:g}"

    def penalty(self, x: torch.Tensor) -> torch.Tensor:
        """R_alpha(x)."""
        moved = x - torch.tensor(self.centre, dtype=x.dtype).reshape(1, -1, 1, 1)
        if self.by_pixel:
            return (moved.square().sum(1) ** (self.alpha / 2)).flatten(1).sum(1) * self.scale
        return moved.abs().pow(self.alpha).flatten(1).sum(1) * self.scale
