"""The vector-Jacobian product of a converted case against central differences of the reference evaluation.

For random cotangents c and directions u, an input at a time: <J^T c, u> by torch autograd in float64, against
<c, f(x + h u) - f(x - h u)> / 2h where f is, in this order,

1. ``right``: onnx's ReferenceEvaluator on the model with every real number made float64, h = 1e-5, to 2e-5
   (to 2e-2 where the case is in float16 or bfloat16: the module then rounds on the way);
2. ``single``: where that takes no doubles, ONNX Runtime or the evaluator in float32, h = 1e-2, to 2e-2;
3. ``own``: as a last resort the converted module itself in float64, which finds a wrong backward and nothing else.

``zero``: as ``right``, and both are zero, as for Floor. The inputs are moved to generic points by seeded noise: the
cases love ties, zeros and bounds. Where f has a kink between x - h u and x + h u, or is too noisy (differences with
h / 4 and h / 16 give other numbers), another seed is taken; where it has none, a disagreement is final.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from conformance import excuses
from conformance.cases import Case
from conformance.doubled import as_double, is_real
from conformance.outcome import Outcome, is_random
from conformance.references import Real, Reference, Twin, array, flat, input_names, rebuild, references

SEEDS, DIRECTIONS = 4, 2


class Unusable(Exception):
    """This reference cannot judge this case."""


class Wrong(Exception):
    """The gradient is wrong, which is final, or the value at a moved point, where another reference may be better."""

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


def has_gradient(case: Case) -> bool:
    """Whether real numbers go in and come out.

    Not of the light nets: all weights of a layer are equal, so every MaxPool is a tie; whole nets are the zoo's.
    """
    if case.family == "light":
        return False
    inputs, outputs = case.data[0]
    return any(_movable(v) for v in flat(inputs)) and any(is_real(v) and v.size for v in flat(outputs))


def run(case: Case) -> Outcome:
    """Compare a case's gradient; ``wrong`` and ``crash`` are the bad outcomes."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return _run(case)
        except Exception as error:  # whatever it is, it is not ours
            return Outcome("crash", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


def _run(case: Case) -> Outcome:
    twin = Twin(case)
    reasons: list[str] = []
    differed = nan = False
    for reference in references(case, twin):
        try:
            found = _check(case, twin, reference)
        except Unusable as reason:
            reasons.append(f"{reference.name}: {reason}")
            continue
        except Wrong as reason:
            reasons.append(f"{reference.name}: {reason}")
            if reason.final:
                nan = "nan by autograd" in str(reason)
                break
            differed = True
            continue
        if reference.name == "own" and differed:
            break
        if _nan_at_home(case, twin):
            reasons.append("NaN at the case's own point, where the outputs are finite")
            nan = True
            break
        return Outcome(found, "; ".join([f"in {twin.precision} precision", *reasons]))
    return Outcome((None if nan else excuses.find(case)) or "wrong", "; ".join(reasons))


def _check(case: Case, twin: Twin, reference: Reference) -> str:
    """The outcome by one reference. Errors: Wrong, Unusable."""
    if not is_random(case.model) and reference.name != "own":
        _reproduces(case, reference)
    last = "a kink at every point tried"
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        try:
            inputs, moved, values = _generic(case, reference, rng)
        except Unusable as reason:
            last = str(reason)
            continue
        outputs, leaves = twin(inputs, moved)
        pairs = _pairs(values, outputs, case)
        cotangents = [np.where(np.isfinite(v), rng.standard_normal(v.shape), 0.0) for v, _ in pairs]
        gradients = _pullback([t for _, t in pairs], cotangents, leaves)
        probe = _Probe(reference, inputs, [v for v, _ in pairs], cotangents)
        sparse = seed >= SEEDS // 2
        found = [
            probe.compare(slot, gradient, rng, sparse=sparse)
            for slot, gradient in zip(sorted(moved), gradients, strict=True)
            for _ in range(3 * DIRECTIONS if sparse else DIRECTIONS)
        ]
        sizes = [size for size in found if size is not None]
        if sizes and (len(sizes) == len(found) or seed == SEEDS - 1):
            return "zero" if not any(sizes) and reference.name == "right" else reference.name
    raise Unusable(last)


def _reproduces(case: Case, reference: Reference) -> None:
    """Errors: Unusable where the reference does not even give the outputs that the case wants."""
    got = _call(reference, as_double(list(case.data[0][0])))
    for value, want in zip(got, flat(case.data[0][1]), strict=True):
        if want is not None and np.shape(value) != want.shape:
            raise Unusable(f"it gives the shape {list(np.shape(value))} for {list(want.shape)}")
        if is_real(want):
            size = float(np.abs(as_double(want)[np.isfinite(as_double(want))]).max(initial=0.0))
            if not np.allclose(as_double(value), as_double(want), 0.0, 2e-2 * size + 1e-6, equal_nan=True):
                raise Unusable("it does not give the numbers of the case")


class _Probe:
    """Directional derivatives of <c, f> at one point."""

    def __init__(self, reference: Reference, inputs: list[Any], values: list[Real], cotangents: list[Real]) -> None:
        self.reference, self.inputs, self.cotangents = reference, inputs, cotangents
        self.values = [np.nan_to_num(value, posinf=0, neginf=0) for value in values]
        self.size = sum(float(np.abs(c * v).sum()) for c, v in zip(cotangents, self.values))
        self.finite = all(bool(np.isfinite(value).all()) for value in values)

    def compare(self, slot: int, gradient: Real, rng: np.random.Generator, *, sparse: bool) -> float | None:
        """The derivative's size where both agree; None at a kink. Errors: Wrong where they disagree at none.

        sparse: along a few coordinates, so that fewer kinks are met.
        """
        x = flat(self.inputs)[slot]
        direction = np.where(np.isfinite(x), rng.standard_normal(x.shape), 0.0)
        if not self.finite:  # the root of a negative number has no gradient either
            direction = np.where(np.isfinite(gradient), direction, 0.0)
            gradient = np.nan_to_num(gradient, posinf=0, neginf=0)
        if sparse:
            direction = np.where(rng.permutation(x.size).reshape(x.shape) < 3, direction, 0.0)
        analytic = float(np.vdot(gradient, direction))
        step = self.reference.step
        found = self._central(slot, direction, step)
        if found is None:
            return None
        numeric, scale = found
        allowed = self.reference.relative * scale + self.reference.floor * (1 + self.size)
        if np.isfinite(analytic) and abs(analytic - numeric) <= allowed:
            return max(abs(analytic), abs(numeric)) if max(abs(analytic), abs(numeric)) > allowed else 0.0
        for nearer in (self._central(slot, direction, step / 4), self._central(slot, direction, step / 16)):
            if nearer is None or abs(nearer[0] - numeric) > allowed / 2:
                return None
        words = f"input {slot}: {analytic:.6g} by autograd, {numeric:.6g} by differences (to {allowed:.1g})"
        raise Wrong(words, final=True)

    def _central(self, slot: int, direction: Real, step: float) -> tuple[float, float] | None:
        """The central difference, and the size of what was summed; None where a side is of another shape or NaN."""
        ahead, behind = self._slope(slot, direction, step), self._slope(slot, direction, -step)
        return None if ahead is None or behind is None else ((ahead[0] + behind[0]) / 2, max(ahead[1], behind[1]))

    def _slope(self, slot: int, direction: Real, step: float) -> tuple[float, float] | None:
        """(<c, f(x + s u) - f(x)> / s, the same summed without signs)."""
        leaves = list(flat(self.inputs))
        leaves[slot] = leaves[slot] + step * direction
        got = [v for v in _call(self.reference, rebuild(self.inputs, iter(leaves))) if is_real(v)]
        if [v.shape for v in got] != [v.shape for v in self.values]:
            return None
        parts = [c * (g - v) / step for c, g, v in zip(self.cotangents, as_double(got), self.values)]
        parts = [np.where(c == 0, 0.0, part) for c, part in zip(self.cotangents, parts)]
        if not all(np.isfinite(part).all() for part in parts):
            return None
        return sum(float(part.sum()) for part in parts), sum(float(np.abs(part).sum()) for part in parts)


def _generic(case: Case, reference: Reference, rng: np.random.Generator) -> tuple[list[Any], frozenset[int], list[Any]]:
    """The case's inputs, moved a little off ties and bounds, which of them moved, and the values there.

    An input that cannot move without another shape coming out, or an error, is a parameter (limits of Range) and
    stays; where small moves turn numbers into NaN they go towards zero alone (Asin at 1); another shape is taken only
    where nothing can move without it (Unique, which counts ties).
    """
    start = as_double(list(case.data[0][0]))
    leaves = flat(start)
    slots = _slots(case)
    shapes = [v.shape for v in flat(case.data[0][1]) if v is not None]
    noise = {k: rng.standard_normal(leaves[k].shape) for k in slots}
    errors: list[str] = []

    def at(moves: frozenset[int], inward: bool, reshaped: bool = False) -> tuple[list[Any], list[Any]] | None:
        new = list(leaves)
        for k in moves:
            x, n = leaves[k], noise[k]
            size = 0.05 * np.abs(x) + 0.02 * float(np.abs(np.where(np.isfinite(x), x, 0)).mean() or 1.0)
            new[k] = np.where(np.isfinite(x), x * (1 - 0.05 * np.abs(n)) if inward else x + size * n, x)
        moved = rebuild(start, iter(new))
        try:
            got = _call(reference, moved)
        except Unusable as error:
            errors.append(str(error))
            return None
        fits = reshaped or [np.shape(v) for v in got if v is not None] == shapes
        finite = reshaped or all(not np.isnan(g).any() or np.isnan(w).any() for g, w in zip(*_reals(got, case)))
        return (moved, got) if fits and finite else None

    def choices() -> Iterator[tuple[frozenset[int], bool]]:
        yield slots, False
        yield frozenset(k for k in slots if any(at(frozenset({k}), inward) for inward in (False, True))), False
        yield slots, True

    for moves, reshaped in choices():
        for inward in (False, True):
            point = at(moves, inward, reshaped) if moves else None
            if point is not None:
                return point[0], moves, point[1]
    raise Unusable(errors[-1] if errors else "no point near the case's own gives numbers of its shape")


def _reals(got: list[Any], case: Case) -> tuple[list[Any], list[Any]]:
    return [as_double(v) for v in got if is_real(v)], [as_double(v) for v in flat(case.data[0][1]) if is_real(v)]


def _pairs(values: list[Any], outputs: list[Any], case: Case) -> list[tuple[Real, torch.Tensor]]:
    """The real outputs of both sides. Errors: Wrong where the values at the moved point already differ."""
    found = []
    for value, output in zip(values, outputs, strict=True):
        if not is_real(value):
            continue
        want, got = as_double(value), array(output)
        if np.shape(got) != want.shape:
            raise Wrong(f"value: shape {list(np.shape(got))} for {list(want.shape)} at a moved point", final=False)
        size = float(np.abs(want[np.isfinite(want)]).max(initial=0.0))
        allowed = (2e-2 if excuses.short(case) else 1e-3) * size + 1e-6
        near = np.isclose(got, want, rtol=0.0, atol=allowed, equal_nan=True)
        if not near.all() and not is_random(case.model):
            raise Wrong(f"value: {got[~near][:3]} for {want[~near][:3]} at a moved point", final=False)
        found.append((want, output))
    return found


def _pullback(outputs: list[torch.Tensor], cotangents: list[Real], leaves: list[torch.Tensor]) -> list[Real]:
    """J^T c by autograd; zeros where no gradient is."""
    known = [(y, c) for y, c in zip(outputs, cotangents) if isinstance(y, torch.Tensor) and y.requires_grad]
    if not known:
        return [np.zeros(t.shape) for t in leaves]
    given = [torch.from_numpy(np.asarray(c)).to(y.dtype) for y, c in known]
    found = torch.autograd.grad([y for y, _ in known], leaves, given, allow_unused=True)
    return [np.zeros(t.shape) if g is None else g.double().numpy() for t, g in zip(leaves, found)]


def _nan_at_home(case: Case, twin: Twin) -> bool:
    """Whether the gradient is NaN at the very inputs of the case, ties and bounds and all."""
    outputs, leaves = twin(as_double(list(case.data[0][0])), _slots(case))
    real = [y for y in outputs if isinstance(y, torch.Tensor) and y.is_floating_point()]
    if not all(bool(y.isfinite().all()) for y in real):
        return False
    gradients = _pullback(real, [np.ones(y.shape) for y in real], leaves)
    return any(bool(np.isnan(g).any()) for g in gradients)


def _call(reference: Reference, inputs: list[Any]) -> list[Any]:
    try:
        return [v if v is None else np.asarray(v) for v in reference.function(inputs)]
    except Exception as error:  # whatever the reference throws
        raise Unusable(f"{type(error).__name__}: {str(error)[:80]}") from None


def _slots(case: Case) -> frozenset[int]:
    """The inputs to differentiate by, as positions among the flattened ones."""
    inputs = list(case.data[0][0])
    still = excuses.parameters(case)
    names = [name for name, value in zip(input_names(case), inputs) for _ in flat([value])]
    return frozenset(k for k, value in enumerate(flat(inputs)) if _movable(value) and names[k] not in still)


def _movable(value: Any) -> bool:
    return is_real(value) and value.size > 0
