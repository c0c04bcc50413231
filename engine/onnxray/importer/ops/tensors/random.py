"""RandomNormal, RandomUniform, their Like forms, Bernoulli and Multinomial, all versions: they differ in types alone.

A node with a seed draws the same numbers at every run, others what torch's generator gives. No two programs draw
alike, so the judge's numbers are others; shapes and types are the same. Nothing here has a gradient.
"""

from __future__ import annotations

import torch
from torch import nn

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.ops.pictures.signal import output_type


class _Drawing(nn.Module):
    """What all of them share: a type, or the input's, and a seed."""

    def __init__(self, dtype: torch.dtype | None, seed: float | None) -> None:
        super().__init__()
        self.dtype, self.seed = dtype, seed

    def generator(self, device: torch.device) -> torch.Generator | None:
        """A fresh generator where there is a seed."""
        if self.seed is None:
            return None
        return torch.Generator(device).manual_seed(hash(self.seed) % 2**63)


class Normal(_Drawing):
    """mean + scale * N(0, 1) of a fixed shape, or of the input's."""

    def __init__(
        self, first: float, second: float, shape: tuple[int, ...] | None, dtype: torch.dtype | None, seed: float | None
    ) -> None:
        super().__init__(dtype, seed)
        self.first, self.second, self.shape = first, second, shape

    def forward(self, like: torch.Tensor | None = None) -> torch.Tensor:
        """Draw in double precision, so that any type gets its best."""
        shape = self.shape if like is None else tuple(like.shape)
        device = torch.device("cpu") if like is None else like.device
        drawn = self.drawn(shape or (), device)
        return drawn.to(self.dtype or (torch.float32 if like is None else like.dtype))

    def drawn(self, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
        """The numbers."""
        noise = torch.randn(shape, generator=self.generator(device), device=device, dtype=torch.float64)
        return self.first + self.second * noise


class Uniform(Normal):
    """low + (high - low) * U[0, 1) of a fixed shape, or of the input's."""

    def drawn(self, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
        """The numbers."""
        noise = torch.rand(shape, generator=self.generator(device), device=device, dtype=torch.float64)
        return self.first + (self.second - self.first) * noise


def _random(scope: Scope) -> Converted:
    get, like = scope.attributes.get, scope.node.operator.endswith("Like")
    normal = scope.node.operator.startswith("RandomNormal")
    first = float(get("mean" if normal else "low", 0.0))
    second = float(get("scale" if normal else "high", 1.0))
    shape = None if like else tuple(get("shape", ()))
    dtype = None if like and not get("dtype") else output_type(scope, "dtype")
    module = (Normal if normal else Uniform)(first, second, shape, dtype, get("seed"))
    return Converted(module, scope.node.inputs)


class Bernoulli(_Drawing):
    """1 with the probability that the input states, else 0."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Draw."""
        noise = torch.rand(x.shape, generator=self.generator(x.device), device=x.device, dtype=torch.float64)
        return (noise < x).to(self.dtype or x.dtype)


def _bernoulli(scope: Scope) -> Converted:
    dtype = output_type(scope, "dtype") if scope.attributes.get("dtype") else None
    return Converted(Bernoulli(dtype, scope.attributes.get("seed")), scope.node.inputs)


class Multinomial(_Drawing):
    """Classes drawn, with replacement, by the softmax of each row."""

    def __init__(self, samples: int, dtype: torch.dtype, seed: float | None) -> None:
        super().__init__(dtype, seed)
        self.samples = samples

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Draw."""
        chances = x.detach().double().softmax(dim=-1)
        return torch.multinomial(chances, self.samples, True, generator=self.generator(x.device)).to(self.dtype)


def _multinomial(scope: Scope) -> Converted:
    get = scope.attributes.get
    dtype = output_type(scope, "dtype") if get("dtype") else torch.int32
    return Converted(Multinomial(int(get("sample_size", 1)), dtype, get("seed")), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("RandomNormal", (1, 22), _random),
    **for_versions("RandomNormalLike", (1, 22), _random),
    **for_versions("RandomUniform", (1, 22), _random),
    **for_versions("RandomUniformLike", (1, 22), _random),
    **for_versions("Bernoulli", (15, 22), _bernoulli),
    **for_versions("Multinomial", (7, 22), _multinomial),
}
