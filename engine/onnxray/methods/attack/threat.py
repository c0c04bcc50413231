"""The norms that a perturbation d is measured and bounded by, in grey levels, over all channels of all pixels.

    linf  max_i |d_i|          l2  sqrt(sum_i d_i^2)          l1  sum_i |d_i|          l0  how many d_i are not 0

Perturbations are (n, numbers), one row a sample. ``project`` is the nearest point of the ball of radius eps (of l0: the
eps largest numbers kept), ``steepest`` the step of norm 1 that <g, .> grows most by, ``draw`` a random start in the
ball. Duchi et al. 2008 (doi 10.1145/1390156.1390191) for l1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]
NormName = Literal["linf", "l2", "l1", "l0"]


class Norm(ABC):
    """A norm of perturbations."""

    name: ClassVar[NormName]

    @abstractmethod
    def size(self, d: Floats) -> NDArray[np.float64]:
        """(n,): ||d||."""

    @abstractmethod
    def project(self, d: Floats, eps: Floats) -> Floats:
        """The nearest to d with ||.|| <= eps (n,)."""

    @abstractmethod
    def steepest(self, gradient: Floats) -> Floats:
        """argmax <g, v> over ||v|| = 1; zero where g is."""

    @abstractmethod
    def draw(self, random: np.random.Generator, numbers: int, eps: float) -> Floats:
        """(numbers,): a random point of the ball."""

    def rounded(self, d: Floats, eps: Floats) -> Floats:
        """d in whole steps, within eps: to the nearest, then those that were rounded away from 0, the most first, are
        rounded towards it until the norm is within the budget.
        """
        whole = np.rint(d.astype(np.float64))
        outwards = np.abs(whole) - np.abs(d)
        for row in np.flatnonzero(self.size(whole) > eps):
            order = np.argsort(-outwards[row], kind="stable")
            order = order[whole[row, order] != 0]
            low, high = 0, len(order)
            while low < high:  # the fewest that have to be
                middle = (low + high) // 2
                nearer = _towards_zero(whole[row], order[:middle])
                low, high = (low, middle) if self.size(nearer[None])[0] <= eps[row] else (middle + 1, high)
            whole[row] = _towards_zero(whole[row], order[:low])
        return np.asarray(whole, np.float32)


def _towards_zero(d: Floats, places: NDArray[np.int64]) -> Floats:
    nearer = d.copy()
    nearer[places] -= np.sign(nearer[places])
    return nearer


@final
class Linf(Norm):
    """max |d|."""

    name = "linf"

    def size(self, d: Floats) -> NDArray[np.float64]:
        """max |d|."""
        return np.asarray(np.abs(d).max(1, initial=0), np.float64)

    def project(self, d: Floats, eps: Floats) -> Floats:
        """Each number clipped."""
        bound = eps[:, None].astype(d.dtype)
        return np.asarray(np.clip(d, -bound, bound))

    def steepest(self, gradient: Floats) -> Floats:
        """sign g."""
        return np.asarray(np.sign(gradient))

    def draw(self, random: np.random.Generator, numbers: int, eps: float) -> Floats:
        """Uniform in the cube."""
        return np.asarray(random.uniform(-eps, eps, numbers), np.float32)

    def rounded(self, d: Floats, eps: Floats) -> Floats:
        """The nearest whole steps within floor(eps)."""
        return np.asarray(self.project(np.rint(d), np.floor(eps)), np.float32)


@final
class L2(Norm):
    """sqrt(sum d^2)."""

    name = "l2"

    def size(self, d: Floats) -> NDArray[np.float64]:
        """In float64."""
        return np.asarray(np.sqrt(np.einsum("nk,nk->n", d, d, dtype=np.float64)))

    def project(self, d: Floats, eps: Floats) -> Floats:
        """d scaled to eps where it is longer."""
        share = np.minimum(1.0, eps / np.maximum(self.size(d), 1e-30))
        return np.asarray(d * share[:, None].astype(d.dtype))

    def steepest(self, gradient: Floats) -> Floats:
        """g / ||g||."""
        return np.asarray(gradient / np.maximum(self.size(gradient), 1e-30)[:, None].astype(gradient.dtype))

    def draw(self, random: np.random.Generator, numbers: int, eps: float) -> Floats:
        """Uniform in the ball."""
        d = random.standard_normal(numbers)
        return np.asarray(eps * random.uniform() ** (1 / numbers) / np.linalg.norm(d) * d, np.float32)


@final
class L1(Norm):
    """sum |d|."""

    name = "l1"

    def size(self, d: Floats) -> NDArray[np.float64]:
        """In float64."""
        return np.asarray(np.abs(d).sum(1, dtype=np.float64))

    def project(self, d: Floats, eps: Floats) -> Floats:
        """sign(d) max(|d| - t, 0), t such that the sum is eps."""
        outside = np.flatnonzero(self.size(d) > eps)
        if not outside.size:
            return d
        large = np.abs(d[outside]).astype(np.float64)
        falling = -np.sort(-large, axis=1)
        above = falling.cumsum(1) - eps[outside, None]
        count = np.arange(1, large.shape[1] + 1)
        last = (falling * count > above).sum(1)
        shift = above[np.arange(len(outside)), last - 1] / last
        found = d.copy()
        found[outside] = np.sign(d[outside]) * np.maximum(large - shift[:, None], 0)
        return found

    def steepest(self, gradient: Floats) -> Floats:
        """The largest |g| alone."""
        found = np.zeros_like(gradient)
        rows = np.arange(len(gradient))
        best = np.abs(gradient).argmax(1)
        found[rows, best] = np.sign(gradient[rows, best])
        return found

    def draw(self, random: np.random.Generator, numbers: int, eps: float) -> Floats:
        """Uniform in the ball."""
        parts = random.exponential(size=numbers + 1)
        signs = random.choice(np.array([-1.0, 1.0]), numbers)
        return np.asarray(eps * signs * parts[:-1] / parts.sum(), np.float32)


@final
class L0(Norm):
    """How many numbers are changed."""

    name = "l0"

    def size(self, d: Floats) -> NDArray[np.float64]:
        """Numbers that are not 0."""
        return np.asarray((d != 0).sum(1), np.float64)

    def project(self, d: Floats, eps: Floats) -> Floats:
        """The floor(eps) largest."""
        kept = np.floor(eps).astype(np.int64)
        order = np.argsort(-np.abs(d), axis=1, kind="stable")
        found = np.zeros_like(d)
        for row, count in enumerate(kept.tolist()):
            found[row, order[row, :count]] = d[row, order[row, :count]]
        return found

    def steepest(self, gradient: Floats) -> Floats:
        """g / max |g|: which numbers are changed, the projection says."""
        return np.asarray(gradient / np.maximum(np.abs(gradient).max(1, initial=0), 1e-30)[:, None])

    def draw(self, random: np.random.Generator, numbers: int, eps: float) -> Floats:
        """floor(eps) numbers, each anywhere."""
        found = np.zeros(numbers, np.float32)
        places = random.permutation(numbers)[: int(eps)]
        found[places] = random.uniform(-255, 255, len(places))
        return found

    def rounded(self, d: Floats, eps: Floats) -> Floats:
        """The nearest whole steps: rounding changes no number that d leaves alone."""
        return np.asarray(np.rint(d), np.float32)


NORMS: Final[Mapping[NormName, Norm]] = MappingProxyType({"linf": Linf(), "l2": L2(), "l1": L1(), "l0": L0()})


def unit_of(norm: str) -> str:
    """What a budget under this norm is counted in."""
    return "numbers changed" if norm == "l0" else "grey levels"


def norms_of(d: Floats, names: Sequence[NormName] = ("linf", "l2", "l1", "l0")) -> dict[str, float]:
    """Name -> norm, of one perturbation of any shape."""
    flat = np.asarray(d, np.float64).reshape(1, -1)
    return {name: float(NORMS[name].size(flat)[0]) for name in names}
