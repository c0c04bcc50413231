"""Whether a robustness figure can be believed: tests for masked gradients and weak attacks, each with its number.

After Carlini et al. 2019 (arXiv 1902.06705), AutoAttack's checks (Croce, Hein 2020), the indicators of attack failure
(Pintor et al. 2022, arXiv 2106.09947) and the active test of linear_head.py, on some of the rightly named images. PGD
is run on the margin at every budget; where one budget is needed it is the one that flips nearest to half of the images.
WARN says that the figure may be too high; PASS does not say that it is not. A test that meets NaN or infinity in the
file's scores is not run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.assess.robustness.linear_head import HeadFlipped
from onnxray.errors import MismatchError, NotDifferentiable, NotFinite, UnsupportedOperator
from onnxray.errors.short_values import short
from onnxray.graph.facts import Node
from onnxray.graph.whole_numbers import quantises
from onnxray.methods.attack.base import WithinBudget, generators_of
from onnxray.methods.attack.gradient.pgd import PGD
from onnxray.methods.attack.oracle import Oracle, Queries
from onnxray.methods.attack.threat import Floats, Norm
from onnxray.methods.run import silent
from onnxray.methods.variable import Rows

_PASSES = 5
_FLAT = frozenset({"Ceil", "Floor", "Sign"})
"""Step functions without a gradient; through ``Round`` and quantisation it is passed as it is."""
_COARSE, _MANY = 32, 1000
"""Levels at most that many numbers are brought to where rounding is coarse: 5 bits."""
_UNSTEADY = 1e-4
_HELPS = 0.05
"""The share above which a weakness counts, where it is of more than one image: one is no evidence."""
_DRAWS = 100
_STEPS = 20
NO_GRADIENT = (NotDifferentiable, MismatchError, UnsupportedOperator)


_OF: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({
    "randomised outputs": (
        "largest L2 of normalised scores between five passes",
        "the file gives one image several answers, and a gradient of one of them misleads",
    ),
    "rounded outputs": (
        "share of images whose scores one grey level of noise leaves exactly alone",
        "scores are rounded, clamped or saturated: attacks that follow them see nothing",
    ),
    "step functions": (
        f"nodes that round and have no gradient, or round coarsely, to {_COARSE} levels at most",
        "behind them is no gradient, or that of a smooth function beside: believe attacks by the judge alone",
    ),
    "gradients": ("share of images without a gradient", "where it is zero no attack by gradients begins"),
    "DLR at its limit": (
        "share of images where the difference of logits ratio is flat and the margin is not",
        "attacks that go down AutoAttack's loss stand still there",
    ),
    "success with budget": (
        "largest fall of PGD's success as eps grows", "a larger budget does worse: the attack loses its way"
    ),
    "more steps": ("share more that four times the steps flip", "the attack has not converged: give it more"),
    "restarts": ("share more that four starts flip", "the attack has not converged: give it more"),
    "unbounded attack": (
        "share of images that no bound at all flips not", "gradients do not lead out of the class, however far"
    ),
    "noise": (
        "share of images that 100 draws of noise of that norm flip and PGD does not",
        "noise does better than the gradient",
    ),
    "black box": (
        "share of images that an attack without gradients flips and none of those PGDs does", "gradients are masked"
    ),
    "linear head": (
        "share of heads with an adversarial example in which PGD misses it",
        "an example is certain to exist and the attack does not find it",
    ),
    "twin alone": (
        "share of images adversarial for the differentiated model and not for the file",
        "the gradients are of another function than the file",
    ),
})  # fmt: skip
"""Test -> what its number is, and what a WARN means."""


@dataclass(frozen=True, kw_only=True)
class TrustTest:
    """One test: its number, what it is of, and what it says. number: None where it could not be had.

    eps: the budget, where the test has one.
    """

    name: str
    number: float | None
    of: str
    eps: float | None = None
    verdict: Literal["PASS", "WARN", "not run"]
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """The images that the tests are made on (``rows``), and the budgets. black: an attack by the judge alone."""

    oracle: Oracle
    norm: Norm
    budgets: Sequence[float]
    rows: Rows
    seed: int
    black: Callable[[float], WithinBudget] | None

    def flipped(self, attack: WithinBudget) -> NDArray[np.bool_]:
        """Which images an attack flips, as they are saved."""
        return self.saved(self.found(attack, self.oracle), attack.eps)

    def saved(self, d: Floats, eps: float) -> NDArray[np.bool_]:
        """Which images the judge takes for flipped, as they are saved within a budget."""
        bounds = np.full(len(self.rows), eps)
        return self.oracle.met(self.oracle.rounded(d, self.rows, self.norm, bounds), self.rows)

    def found(self, attack: WithinBudget, oracle: Oracle) -> Floats:
        """The perturbations of an attack, in floats."""
        return attack.perturb(attack.on(oracle, self.rows, self.seed, silent)).d

    def pgd(self, eps: float, **more: Any) -> PGD:
        """PGD on the margin."""
        return PGD(norm=self.norm.name, eps=eps, **{"steps": _STEPS, "loss": "margin", **more})


def trust_tests(evidence: Evidence) -> Iterator[TrustTest]:
    """Every test, one after the other; those that need a gradient say so where there is none."""
    for name, test in (
        ("randomised outputs", steady_outputs), ("rounded outputs", unrounded_outputs),
        ("step functions", step_functions),
    ):  # fmt: skip
        try:
            yield test(evidence)
        except NotFinite as error:
            yield _not_run(name, str(error))
    gradients = gradients_reach(evidence)
    yield gradients
    if gradients.number is None:
        yield from (_not_run(name, "there is no gradient") for name in list(_OF)[4:])
        return
    yield dlr_gradients(evidence)
    found = {eps: evidence.found(evidence.pgd(eps), evidence.oracle) for eps in evidence.budgets}
    flips = {eps: evidence.saved(d, eps) for eps, d in found.items()}
    shares = {eps: float(flipped.mean()) for eps, flipped in flips.items()}
    yield rising(shares)
    middle = min(shares, key=lambda eps: (abs(shares[eps] - 0.5), eps))
    longer = evidence.flipped(evidence.pgd(middle, steps=4 * _STEPS))
    again = evidence.flipped(evidence.pgd(middle, restarts=4))
    yield helps("more steps", flips[middle], longer, middle)
    yield helps("restarts", flips[middle], again, middle)
    yield unbounded(evidence)
    yield noise(evidence, middle, flips[middle])
    yield black_box(evidence, middle, flips[middle] | longer | again)
    yield linear_head(evidence, middle)
    yield twin_alone(evidence, middle, found[middle])


def steady_outputs(evidence: Evidence) -> TrustTest:
    """Randomised outputs: five passes of the same images."""
    model, samples = evidence.oracle.variable.model, evidence.oracle.variable.samples.rows(evidence.rows)
    passes = [model.predict_classes(samples, scores=True) for _ in range(_PASSES)]
    scaled = [one.scores / np.maximum(np.linalg.norm(one.scores, axis=1, keepdims=True), 1e-30) for one in passes]
    apart = max(float(np.linalg.norm(one - scaled[0], axis=1).max()) for one in scaled)
    changed = any((one.classes != passes[0].classes).any() for one in passes)
    return _judged("randomised outputs", apart, warns=changed or apart > _UNSTEADY)


def unrounded_outputs(evidence: Evidence) -> TrustTest:
    """Rounded or clamped outputs: scores that three draws of one grey level of noise leave exactly alone."""
    oracle, rows = evidence.oracle, evidence.rows
    still, start = np.ones(len(rows), bool), _scores(evidence, _start(evidence))
    for draw in range(3):
        random = np.random.default_rng([evidence.seed, draw])
        d = random.choice(np.array([-1.0, 1.0], np.float32), (len(rows), oracle.numbers))
        still &= (_scores(evidence, oracle.within(d, rows)) == start).all(1)
    return _judged("rounded outputs", float(still.mean()), warns=bool(still.any()))


def step_functions(evidence: Evidence) -> TrustTest:
    """Nodes that round what depends on the input: those without a gradient, and of the first on the way the coarse."""
    graph, behind, first, fine, flat = evidence.oracle.variable.model.graph, set[str](), list[Node](), 0, 0
    for node in graph.nodes:
        steps = node.operator in _FLAT or node.operator == "Round" or quantises(node)
        moves = steps and any(name in graph.depends_on_input for name in node.outputs)
        if moves and node.operator in _FLAT:
            flat += 1
        elif moves:
            fine += 1
            first += [] if behind.intersection(node.inputs) else [node]
        if moves or behind.intersection(node.inputs):
            behind.update(node.outputs)
    coarse = sum(_coarse(evidence, node) for node in first)
    kept = f"at {fine - coarse} that round finely (8 bits, say) gradients are passed straight through"
    return _judged("step functions", flat + coarse, warns=flat + coarse > 0, note=kept if fine > coarse else None)


def _coarse(evidence: Evidence, node: Node) -> bool:
    """Whether a node brings many numbers to a few levels."""
    variable = evidence.oracle.variable
    names = (node.inputs[0], node.outputs[0])
    found = variable.model.values(variable.fed(variable.start[evidence.rows], evidence.rows), names)
    before, after = (len(np.unique(found[name])) for name in names)
    return found[names[1]].size >= _MANY and after <= _COARSE and 2 * after < before


def _scores(evidence: Evidence, d: Floats) -> NDArray[np.float64]:
    oracle = evidence.oracle
    return oracle.variable.model.predict_classes(oracle.fed(d, evidence.rows), scores=True).scores


def gradients_reach(evidence: Evidence) -> TrustTest:
    """Missing or zero gradients of the margin."""
    try:
        slopes = evidence.oracle.slopes(_start(evidence), evidence.rows, "margin")
    except NO_GRADIENT as error:
        why = f"there is none: {short(str(error))}"
        return TrustTest(name="gradients", number=None, of=_OF["gradients"][0], verdict="WARN", reason=why)
    share = float((np.abs(slopes.gradient).max(1) == 0).mean())
    return _judged("gradients", share, warns=share > 0)


def dlr_gradients(evidence: Evidence) -> TrustTest:
    """A flat ratio where the margin is not flat."""
    ratio, margin = (
        np.abs(evidence.oracle.slopes(_start(evidence), evidence.rows, kind).gradient).max(1)
        for kind in ("difference-of-logits-ratio", "margin")
    )
    share = float(((ratio == 0) & (margin > 0)).mean())
    return _judged("DLR at its limit", share, warns=share > 0)


def rising(shares: Mapping[float, float]) -> TrustTest:
    """Success must not fall as the budget grows."""
    ordered = [shares[eps] for eps in sorted(shares)]
    fall = max((a - b for a, b in itertools.pairwise(ordered)), default=0.0)
    return _judged("success with budget", max(0.0, fall), warns=fall > _HELPS)


def helps(name: str, before: NDArray[np.bool_], after: NDArray[np.bool_], eps: float) -> TrustTest:
    """Four times the steps, or four starts, must not help by more than a twentieth."""
    gain = float(after.mean() - before.mean())
    return _judged(name, gain, warns=_many(gain, len(before)), eps=eps)


def unbounded(evidence: Evidence) -> TrustTest:
    """Without a bound every image must flip."""
    wide = PGD(norm="linf", eps=255.0, steps=4 * _STEPS, step_size=255.0 / _STEPS, loss="margin")
    d = evidence.oracle.rounded(evidence.found(wide, evidence.oracle), evidence.rows, evidence.norm)
    left = float((~evidence.oracle.met(d, evidence.rows)).mean())
    return _judged("unbounded attack", left, warns=left > 0)


def noise(evidence: Evidence, eps: float, flipped: NDArray[np.bool_]) -> TrustTest:
    """Noise must not flip what the attack does not: random corners of the ball."""
    oracle, rows, hit = evidence.oracle, evidence.rows, np.zeros(len(evidence.rows), bool)
    random = generators_of(oracle.variable.start[rows], evidence.seed)
    for _ in range(_DRAWS):
        corners = np.stack([one.standard_normal(oracle.numbers) for one in random]).astype(np.float32)
        d = oracle.within(evidence.norm.steepest(corners) * np.float32(eps), rows)
        hit |= evidence.saved(d, eps)
    share = float((hit & ~flipped).mean())
    return _judged("noise", share, warns=share > 0, eps=eps)


def black_box(evidence: Evidence, eps: float, flipped: NDArray[np.bool_]) -> TrustTest:
    """The judge alone must not do better than gradients, image by image."""
    if evidence.black is None:
        return _not_run("black box", "the suite has no such attack")
    share = float((evidence.flipped(evidence.black(eps)) & ~flipped).mean())
    return _judged("black box", share, warns=_many(share, len(flipped)), eps=eps)


def linear_head(evidence: Evidence, eps: float) -> TrustTest:
    """A hole that is certain to be there, in which the attack must get (linear_head.py)."""
    variable = evidence.oracle.variable
    feature = variable.whole.aliases.get("features")
    if feature is None:
        return _not_run("linear head", "no layer is known as the features")
    head = HeadFlipped.around(evidence.oracle, evidence.rows, feature, evidence.norm, eps, evidence.seed)
    oracle = replace(evidence.oracle, criterion=head, queries=Queries.none(len(variable)))
    d = evidence.found(evidence.pgd(eps, steps=2 * _STEPS), oracle)
    missed = float((~oracle.met(d, evidence.rows)).mean())
    return _judged("linear head", missed, warns=_many(missed, len(evidence.rows)), eps=eps)


def twin_alone(evidence: Evidence, eps: float, d: Floats) -> TrustTest:
    """Flipped for the twin and not for the judge, on the very same floats: PGD's perturbations d."""
    oracle, rows = evidence.oracle, evidence.rows
    share = float(((oracle.slopes(d, rows).margin < 0) & ~oracle.met(d, rows)).mean())
    return _judged("twin alone", share, warns=_many(share, len(rows)), eps=eps)


def _many(share: float, count: int) -> bool:
    return share > _HELPS and round(share * count) > 1


def _start(evidence: Evidence) -> Floats:
    return np.zeros((len(evidence.rows), evidence.oracle.numbers), np.float32)


def _judged(name: str, number: float, *, warns: bool, eps: float | None = None, note: str | None = None) -> TrustTest:
    of, why = _OF[name]
    verdict: Literal["PASS", "WARN"] = "WARN" if warns else "PASS"
    return TrustTest(name=name, number=number, of=of, eps=eps, verdict=verdict, reason=why if warns else note)


def _not_run(name: str, why: str) -> TrustTest:
    return TrustTest(name=name, number=None, of=_OF[name][0], verdict="not run", reason=why)
