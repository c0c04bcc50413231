"""A linear probe: multinomial logistic regression on standardised codes, its regularisation chosen by validation.

    z = (f - m) / s,   p = softmax(V z + c),   V, c minimise  -C sum log p(label) + |V|^2 / 2,   W = V / s,  b = c - W m

m, s: mean and deviation of the numbers, over the pictures that it learns from. C: of ten to the power of -4 to 4 the
one whose loss is least on pictures that were left out, by stratified cross-validation in at most five parts; the
smallest of those as good. Where a code has more numbers than there are pictures, z is turned into as many as there are
pictures, which changes neither p nor |V|. Of two classes W is half of the one row that scikit-learn gives, with both
signs.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.features.parts.libraries import scikit_learn

Floats = NDArray[np.float64]
Targets = NDArray[np.int64]

_STRENGTHS: Final = tuple(10.0**power for power in range(-4, 5))
_FOLDS: Final = 5
_STEPS: Final = 2000
_RANK: Final = 1e-10
_SMALLEST: Final = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearProbe:
    """weights: (classes, numbers); bias: (classes,); scores are codes W^T + b. strength: C. loss, accuracy: of the
    pictures left out in cross-validation; None where a class has one picture alone, and C is 1. converged: all fits.
    """

    weights: Floats
    bias: Floats
    strength: float
    loss: float | None
    accuracy: float | None
    converged: bool

    def scores(self, codes: NDArray[Any]) -> Floats:
        """(n, classes), before the softmax."""
        return np.asarray(np.asarray(codes, np.float64) @ self.weights.T + self.bias)


def fit_probe(codes: NDArray[Any], targets: Targets, classes: int, seed: int) -> LinearProbe:
    """targets: numbers of classes, of which there are two or more, each at least once."""
    library = scikit_learn("probes are fitted")
    plain = np.asarray(codes, np.float64)
    mean, deviation = plain.mean(0), plain.std(0)
    deviation = np.where(deviation > _SMALLEST * np.maximum(np.abs(mean), 1), deviation, 1.0)
    unit = (plain - mean) / deviation
    basis = None
    if unit.shape[1] > len(unit):
        left, sizes, basis = np.linalg.svd(unit, full_matrices=False)
        kept = sizes > _RANK * max(sizes[0], _SMALLEST)
        unit, basis = left[:, kept] * sizes[kept], basis[kept]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps that ran out: asked of each fit
        strength, loss, accuracy, sound = _chosen(library, unit, targets, classes, seed)
        made = _regression(library, strength).fit(unit, targets)
    turned, bias = np.asarray(made.coef_, np.float64), np.asarray(made.intercept_, np.float64)
    if len(turned) == 1:
        turned, bias = np.concatenate([-turned, turned]) / 2, np.concatenate([-bias, bias]) / 2
    weights = (turned if basis is None else turned @ basis) / deviation
    return LinearProbe(
        weights=weights, bias=bias - weights @ mean, strength=strength, loss=loss, accuracy=accuracy,
        converged=sound and bool((made.n_iter_ < _STEPS).all()),
    )  # fmt: skip


def _regression(library: Any, strength: float) -> Any:
    return library.linear_model.LogisticRegression(C=strength, max_iter=_STEPS)


def _chosen(
    library: Any, codes: Floats, targets: Targets, classes: int, seed: int
) -> tuple[float, float | None, float | None, bool]:
    """C with the loss and the accuracy on what was left out, and whether all fits converged."""
    folds = min(_FOLDS, int(np.bincount(targets, minlength=classes).min()))
    if folds < 2:
        return 1.0, None, None, True
    parts = list(library.model_selection.StratifiedKFold(folds, shuffle=True, random_state=seed).split(codes, targets))
    best: tuple[float, float | None, float | None] = (1.0, None, None)
    sound = True
    for strength in _STRENGTHS:
        likely = np.zeros((len(codes), classes))
        for learned, left_out in parts:
            made = _regression(library, strength).fit(codes[learned], targets[learned])
            likely[left_out] = made.predict_proba(codes[left_out])
            sound &= bool((made.n_iter_ < _STEPS).all())
        own = np.maximum(likely[np.arange(len(codes)), targets], _SMALLEST)
        loss, accuracy = float(-np.log(own).mean()), float((likely.argmax(1) == targets).mean())
        if best[1] is None or loss < best[1] - 1e-9:
            best = (strength, loss, accuracy)
    return *best, sound
