"""How evolution writes pictures down: what is drawn at random, changed, mixed, and shown.

Numbers lie in [0, 1] and are changed by polynomial mutation (Deb 2001, page 124), each with a chance of its own:

    v <- clip(v + delta, 0, 1),   delta = (2 u)^(1 / (eta + 1)) - 1 for u < 1/2, else 1 - (2 (1 - u))^(1 / (eta + 1))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.eight_bits import to_uint8

Genome = TypeVar("Genome")
Numbers = NDArray[Any]

CHANCE = 0.1
"""That a number is changed (Nguyen, Yosinski, Clune 2015)."""
ETA = 15.0
"""Of polynomial mutation: changes are of the order of 1 / eta."""
_HALVED = 1000
"""Generations after which the direct encoding changes half as many numbers."""
_CROSSED, _ETA_CROSSED = 0.5, 10.0


class Encoding(ABC, Generic[Genome]):
    """Genomes of pictures of one shape."""

    @abstractmethod
    def drawn(self, random: np.random.Generator) -> Genome:
        """One at random."""

    @abstractmethod
    def child(self, first: Genome, second: Genome, generation: int, random: np.random.Generator) -> Genome:
        """One of two parents, changed; generations count from 1."""

    @abstractmethod
    def picture(self, genome: Genome) -> Image8:
        """(C, H, W), in 8 bits."""

    @abstractmethod
    def packed(self, genomes: Sequence[Genome]) -> Numbers:
        """Genomes as one array."""

    @abstractmethod
    def unpacked(self, array: Numbers) -> list[Genome]:
        """The same genomes again. Errors: ValueError, TypeError, KeyError where it is none of ``packed``."""


def changed(numbers: Numbers, chance: float, random: np.random.Generator) -> Numbers:
    """Polynomial mutation of numbers in [0, 1], of any shape."""
    where = random.random(numbers.shape) < chance
    u = random.random(int(where.sum()))
    low = u < 0.5
    root = (2 * np.where(low, u, 1 - u)) ** (1 / (ETA + 1))
    found = numbers.copy()
    found[where] = np.clip(found[where] + np.where(low, root - 1, 1 - root), 0, 1)
    return found


def crossed(first: Numbers, second: Numbers, random: np.random.Generator) -> Numbers:
    """Simulated binary crossover within [0, 1] (Deb 2001, page 113, as his code has it): one of its two children.

    y1 < y2 the parents' numbers, u uniform, beta = 1 + 2 room / (y2 - y1), room that to the end of [0, 1] on that side;
    a = 2 - beta^-(eta + 1),   q = (u a)^(1 / (eta + 1)) for u <= 1 / a, else (2 - u a)^(-1 / (eta + 1));
    the child at the lower side (y1 + y2 - q (y2 - y1)) / 2, at the upper one plus.
    """
    low, high = np.minimum(first, second), np.maximum(first, second)
    apart = np.maximum(high - low, np.finfo(np.float32).eps)
    upper = random.random(first.shape) < 0.5
    power = 1 / (_ETA_CROSSED + 1)
    beta = 1 + 2 * np.where(upper, 1 - high, low) / apart
    u, a = random.random(first.shape), 2 - beta ** -(_ETA_CROSSED + 1)
    q = np.where(u <= 1 / a, u * a, 1 / (2 - u * a)) ** power
    found = 0.5 * (low + high + np.where(upper, 1, -1) * q * apart)
    return np.where(high - low > np.finfo(np.float32).eps, np.clip(found, 0, 1), first).astype(first.dtype)


@final
@dataclass(frozen=True, kw_only=True)
class Direct(Encoding[Numbers]):
    """Each number of the picture by itself, (C, H, W); half of the children have two parents."""

    shape: tuple[int, int, int]

    def drawn(self, random: np.random.Generator) -> Numbers:
        """Even noise."""
        return random.random(self.shape, np.float32)

    def child(self, first: Numbers, second: Numbers, generation: int, random: np.random.Generator) -> Numbers:
        """A tenth of its numbers changed, half as many after each thousand generations."""
        whole = crossed(first, second, random) if random.random() < _CROSSED else first
        return changed(whole, CHANCE * 0.5 ** ((generation - 1) // _HALVED), random)

    def picture(self, genome: Numbers) -> Image8:
        """v 255."""
        return to_uint8(genome * 255)

    def packed(self, genomes: Sequence[Numbers]) -> Numbers:
        """(n, C, H, W)."""
        return np.stack(genomes)

    def unpacked(self, array: Numbers) -> list[Numbers]:
        """One by one."""
        if array.dtype != np.float32 or array.shape[1:] != self.shape:
            raise ValueError(array.shape)
        return [*array]
