"""The family base of attacks: a goal in, one perturbed sample out, rounded within its budget, judged and measured.

An attack is given an :class:`Oracle` and answers with perturbations in floats. What is saved of pixels is 8 bits, and
whether that succeeds says the judge, on the saved picture alone. Random numbers come from a generator of each sample's
own, seeded with the run's seed and the sample's bytes: neither the batch nor the order changes what an attack draws.
What they change are the last bits of torch's gradients, which Adam (sigma-zero) may divide by.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.images.pixels import Pixels
from onnxray.methods.array_variable import variable_of
from onnxray.methods.as_typed import path_texts, plain_fields, target_text
from onnxray.methods.attack.item import AttackItem
from onnxray.methods.attack.measurement import measured, not_asked
from onnxray.methods.attack.oracle import Oracle, Queries
from onnxray.methods.attack.success import Criterion, criterion_of, left_out
from onnxray.methods.attack.threat import NORMS, Floats, Norm, NormName
from onnxray.methods.method import Method
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.run import Run
from onnxray.methods.shots import Shots
from onnxray.methods.variable import Rows, Variable
from onnxray.model.model import Model

# Samples share their passes in groups: large enough to be fast, small enough to come out and to fit in memory.
_GROUP = 64
_GROUP_NUMBERS = 8_000_000

Tell = Callable[[int, int, str], None]
"""(steps done, steps in all, what): how far a group is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Perturbations:
    """What an attack gives for n samples. d: (n, numbers) float32, where nothing was found 0, or the best try.

    whole: the same in whole steps, where the attack looked for that by itself. numbers: by name, (n,) of each.
    """

    d: Floats
    whole: Floats | None = None
    numbers: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Attacked:
    """Samples of a group: what is asked of the oracle, by ``rows``, with a generator for each.

    eps: (n,) the budget of each; where the smallest is looked for the norm that is reached already, infinite where none
    is: an attack may look below it alone. start: (n, numbers) perturbations to begin at, None where the attack begins
    as it does by itself.
    """

    oracle: Oracle
    rows: Rows
    random: Sequence[np.random.Generator]
    tell: Tell
    eps: NDArray[np.float64]
    start: Floats | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def saved(self, d: Floats, places: Rows, norm: Norm) -> NDArray[np.bool_]:
        """(n,): whether the judge takes perturbations of these samples as they are saved, within their budgets."""
        if not len(places):
            return np.zeros(0, bool)
        rows = self.rows[places]
        return self.oracle.met(self.oracle.rounded(d, rows, norm, self.eps[places]), rows)

    def arrived(self, d: Floats, places: Rows, likely: NDArray[np.bool_], norm: Norm) -> NDArray[np.bool_]:
        """The same, asked where it is likely and a query is left; of the others no."""
        found = likely & self.oracle.left(self.rows[places])
        found[found] = self.saved(d[found], places[found], norm)
        return found


@dataclass(frozen=True, kw_only=True)
class Attack(Method[AttackItem]):
    """An attack: perturbs each image until the judge says something else of it, or what is wanted."""

    item_type: ClassVar[type[Any]] = AttackItem
    images_only: ClassVar[bool] = False
    needs_gradients: ClassVar[bool] = True
    """Whether it asks the twin; where not, any file that ONNX Runtime opens can be attacked, without torch."""
    goes_on: ClassVar[bool] = False
    """Whether it looks below a norm that is reached already, from there, where it is handed one."""

    wrt: Annotated[
        str | tuple[str, ...] | None,
        "what is changed: inputs by name, repeatable, the others held; default: the picture, else every input of real "
        "numbers",
    ] = None
    queries: Annotated[
        int | None,
        "passes that a sample may take, forward and backward together; default: as many as the attack makes",
        Range(1, 10**9),
    ] = None  # fmt: skip
    float_: Annotated[bool, "judge the unrounded image as well, for comparison with papers"] = False

    def __post_init__(self) -> None:
        check_choices(self)

    @property
    @abstractmethod
    def measure(self) -> Norm:
        """The norm that the attack keeps small."""

    @property
    @abstractmethod
    def budget(self) -> float | None:
        """eps, in grey levels; None where the attack looks for the smallest."""

    @final
    def on(
        self, oracle: Oracle, rows: Rows, seed: int, tell: Tell, start: Floats | None = None,
        reached: NDArray[np.float64] | None = None,
    ) -> Attacked:  # fmt: skip
        """Samples as this attack is given them, each with its budget and its generator. start: where to begin.

        reached: (n,) norms below which the smallest is looked for.
        """
        smallest = np.full(len(rows), np.inf) if reached is None else reached
        return Attacked(
            oracle=oracle, rows=rows, random=generators_of(oracle.variable.start[rows], seed), tell=tell,
            eps=smallest if self.budget is None else np.full(len(rows), self.budget), start=start,
        )  # fmt: skip

    def looked_at(self, model: Model) -> Sequence[str]:
        """The values that success depends on."""
        return [model.head.name]

    def check_variable(self, variable: Variable) -> None:
        """Refuse samples that it cannot change. Errors: InputError."""

    def asked(self, variable: Variable, goal: Any) -> tuple[Criterion, Shots]:
        """What is asked of the samples, and what the judge says of them as they came. Errors: InputError."""
        return criterion_of(variable, goal)

    @classmethod
    @final
    def has_own_goal(cls) -> bool:
        """Whether what it asks is no class and no comparison, so that no other method can state it for it."""
        return cls.asked is not Attack.asked

    @abstractmethod
    def perturb(self, attacked: Attacked) -> Perturbations:
        """Perturbations of the group's samples, within what they may hold."""

    def beside(self, attacked: Attacked, whole: Floats) -> Mapping[str, Sequence[Any]]:
        """What else is measured of perturbations as they are saved: by name, (n,) of each."""
        return {}

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for this method."""
        return "attack", self.name

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options; several targets are one for each image."""
        goals = goal if isinstance(goal, list | tuple) else [] if goal is None else [goal]
        targets = [target_text(one) for one in goals] or None
        return {"images": path_texts("the images", images), "target": targets, **plain_fields(self)}

    @final
    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[AttackItem]:
        """Give an item for every sample, in order."""
        variable = variable_of(model, pixels, self.wrt, self.looked_at(model))
        self.check_variable(variable)
        left = left_out(variable, goal)
        everyone, kept = variable, np.setdiff1d(np.arange(len(variable)), [*left])
        if left:
            variable = replace(variable, samples=variable.samples.rows(kept))
            run.note(f"{len(left)} of {len(everyone)} samples are left out: {next(iter(left.values()))}")
        criterion, shots = self.asked(variable, goal)
        for note in variable.notes("linf, l2 and l1 count 255ths, and `moved` has them in the arrays' own units"):
            run.note(note)
        queries = Queries.none(len(variable))
        oracle = Oracle(variable=variable, criterion=criterion, queries=queries, limit=self.queries)
        size = group_size(oracle.numbers)
        for start, own in run.units(range(0, len(variable), size)):
            rows = np.arange(start, min(start + size, len(variable)))

            def tell(done: int, total: int, what: str, first: int = start, count: int = len(rows)) -> None:
                share = done / max(1, total) * count
                run.progress(int(1000 * (first + share)), 1000 * len(variable), f"{self.name}: {what}")

            attacked = self.on(oracle, rows, seed_of(own), tell)
            found, whole = self.settled(attacked, self.perturb(attacked))
            told = {**found.numbers, **self.beside(attacked, whole)}
            for place, row in enumerate(rows.tolist()):
                yield from self._left(everyone, left, kept, row)
                numbers = {name: values[place] for name, values in told.items()}
                yield measured(
                    oracle, shots, row, whole[place], found.d[place] if self.float_ else None,
                    place=int(kept[row]), method=self.name, norm=self.measure, eps=self.budget, numbers=numbers,
                )  # fmt: skip
            if rows[-1] == len(variable) - 1:
                yield from self._left(everyone, left, kept, len(variable))
            said = queries.said(rows)
            if said is not None:
                own.note(said)
        run.progress(1000 * len(variable), 1000 * len(variable), f"{self.name}: done")

    def _left(self, variable: Variable, left: Mapping[int, str], kept: Rows, row: int) -> Iterator[AttackItem]:
        """Those that are left out between the sample of this row and the one before it."""
        first = int(kept[row - 1]) + 1 if row else 0
        for place in range(first, int(kept[row]) if row < len(kept) else len(variable)):
            yield not_asked(variable, place, left[place], method=self.name, norm=self.measure, eps=self.budget)

    def settled(self, attacked: Attacked, found: Perturbations) -> tuple[Perturbations, Floats]:
        """What is saved of perturbations, beside them: whole steps within the budget."""
        if found.whole is not None:
            return found, found.whole
        return found, attacked.oracle.rounded(found.d, attacked.rows, self.measure, attacked.eps)


def group_size(numbers: int) -> int:
    """How many samples of so many numbers share their passes."""
    return max(1, min(_GROUP, _GROUP_NUMBERS // numbers))


def seed_of(run: Run) -> int:
    """The run's seed, the same in all of its units."""
    return int(run.random.bit_generator.seed_seq.entropy)  # type: ignore[attr-defined]


def generators_of(samples: NDArray[Any], seed: int) -> list[np.random.Generator]:
    """A generator for each sample, by the run's seed and the sample's bytes."""
    digests = (hashlib.sha256(np.ascontiguousarray(one).tobytes()).digest() for one in samples)
    return [np.random.default_rng([seed, int.from_bytes(digest[:16], "big")]) for digest in digests]


@dataclass(frozen=True, kw_only=True)
class WithinBudget(Attack):
    """An attack that stays within a budget, ||d|| <= eps: ``Attacked.eps``, of each sample its own."""

    norm: Annotated[NormName, "the norm of the budget"] = "linf"
    eps: Annotated[
        float, "the budget, in grey levels; l2 and l1 sum over all pixels and channels, l0 counts numbers",
        Range(1e-3, 1e9),
    ] = 8.0  # fmt: skip

    def __post_init__(self) -> None:
        check_choices(self)
        if self.norm == "linf":
            Range(1e-3, 255.0).check("eps", self.eps)

    @property
    def measure(self) -> Norm:
        """That of the budget."""
        return NORMS[self.norm]

    @property
    def budget(self) -> float | None:
        """eps."""
        return self.eps
