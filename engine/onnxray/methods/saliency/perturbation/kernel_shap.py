"""KernelSHAP (Lundberg, Lee 2017, arXiv 1705.07874): Shapley values of a sample's parts by a weighted linear fit.

    phi = argmin sum_z k(z) (v(z) - v(0) - phi . z)^2   with   sum phi = v(1) - v(0)
    k(z) = (d - 1) / (C(d, |z|) |z| (d - |z|))

z: which of d parts are there, neither none nor all; v: the score of the sample whose other parts are replaced
(coalitions.py). The constraint is held exactly. Where the samples suffice for all 2^d - 2 of them, phi are the Shapley
values themselves; else sizes |z| are taken whole from the outside in as long as their share of the weight pays for it,
and the rest is drawn by its weight, each with its complement (Covert, Lee 2021, arXiv 2012.01536), as in the authors'
code. By ONNX Runtime alone: no gradient is taken.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.methods.option_checks import Range
from onnxray.methods.saliency.perturbation.coalitions import (
    Flags,
    Game,
    PartAttribution,
    Tick,
    Weights,
    refuse_too_large,
)

Floats = NDArray[np.float64]

_SAMPLES = 2048
"""As in the authors' code: so many beside two for each part."""


@final
@dataclass(frozen=True, kw_only=True)
class KernelSHAP(PartAttribution):
    """KernelSHAP: what each part adds to the score, fairly shared among them (Shapley values). No gradients."""

    name: ClassVar[str] = "kernel-shap"

    samples: Annotated[int | None, "how many changed samples; by default 2048 and two for each part", Range(2)] = None

    def weights(self, game: Game, random: np.random.Generator, tick: Tick) -> Weights:
        """The Shapley values, and how far they are from adding up."""
        parts = game.parts.count
        most = 2 * parts + _SAMPLES if self.samples is None else self.samples
        refuse_too_large(min(most, 2**parts), parts)
        present, weights = drawn_coalitions(parts, most, random)
        ends = np.array([[False] * parts, [True] * parts])
        scores = game.scores(np.concatenate([ends, present]), tick)
        empty, full = float(scores[0]), float(scores[1])
        found = shapley_fit(present, scores[2:], weights, empty, full)
        numbers = {
            "score_change": full - empty, "complete": len(present) == 2**parts - 2, "samples": len(present),
            "additivity_gap": abs(float(found.sum()) - (full - empty)),
        }  # fmt: skip
        reason = None if found.any() else "the score is the same whatever parts are there"
        return Weights(parts=found, numbers=numbers, reason=reason)


def drawn_coalitions(parts: int, most: int, random: np.random.Generator) -> tuple[Flags, Floats]:
    """(M, parts) coalitions, neither empty nor full, and their weights; M is at most ``most``, or all there are."""
    sizes = range(1, parts // 2 + 1)
    pairs = {size: 1 if 2 * size == parts else 2 for size in sizes}
    shares = {size: pairs[size] * (parts - 1) / (size * (parts - size)) for size in sizes}
    counts = {size: pairs[size] * math.comb(parts, size) for size in sizes}
    whole = sum(counts.values()) <= most
    left, rest = most, list(sizes)
    found: list[Flags] = []
    weights: list[float] = []
    while rest:
        size, total = rest[0], sum(shares[size] for size in rest)
        if not whole and left * shares[size] / total < counts[size] - 1e-8:
            break
        for chosen in itertools.combinations(range(parts), size):
            one = _flags(parts, chosen)
            found += [one, ~one] if pairs[size] == 2 else [one]
        weights += [shares[size] / counts[size]] * counts[size]
        left -= counts[size]
        rest.pop(0)
    if rest:
        drawn = _drawn(parts, {size: shares[size] for size in rest}, left // 2, random)
        each = sum(shares[size] for size in rest) / max(1, sum(drawn.values()))
        found += [np.unpackbits(np.frombuffer(one, np.uint8), count=parts).astype(bool) for one in drawn]
        weights += [each * number for number in drawn.values()]
    return np.array(found, bool).reshape(-1, parts), np.array(weights)


def _drawn(parts: int, shares: dict[int, float], pairs: int, random: np.random.Generator) -> dict[bytes, int]:
    """Coalitions, packed, and how often each was drawn; each time with its complement."""
    sizes = np.array(list(shares))
    chances = np.array(list(shares.values()))
    found: dict[bytes, int] = {}
    for size in random.choice(sizes, pairs, p=chances / chances.sum()):
        one = _flags(parts, random.choice(parts, size, replace=False))
        for each in (one, ~one):
            packed = np.packbits(each).tobytes()
            found[packed] = found.get(packed, 0) + 1
    return found


def _flags(parts: int, chosen: object) -> Flags:
    one = np.zeros(parts, bool)
    one[np.array(chosen, np.int64)] = True
    return one


def shapley_fit(present: Flags, scores: Floats, weights: Floats, empty: float, full: float) -> Floats:
    """phi (parts,) from v of coalitions (M, parts), of none and of all; the last part is put in by the constraint.

    Errors: InputError where the coalitions do not tell the parts apart.
    """
    z, change = present.astype(np.float64), full - empty
    if z.shape[1] == 1:
        return np.array([change])
    root = np.sqrt(weights)
    rows = root[:, None] * (z[:, :-1] - z[:, -1:])
    found, _, rank, _ = np.linalg.lstsq(rows, root * (scores - empty - z[:, -1] * change), rcond=None)
    if rank < z.shape[1] - 1:
        raise InputError(
            f"{len(z)} samples do not tell {z.shape[1]} parts apart; take more of them, at least {2 * z.shape[1]}, or "
            "fewer parts"
        )
    return np.append(found, change - found.sum())
