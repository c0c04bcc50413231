"""The robustness of a classifier on labelled images: each image's smallest norm over several attacks.

Attacks that look for the smallest norm run once an image; the others at each budget, the largest first, on the images
whose smallest norm so far is above it and not above ``reach`` times it: what is left standing near the budget. Robust
accuracy at every budget is read from the smallest norms. Success is the judge's word on the saved 8-bit picture. An
image that is named wrongly as it came is counted apart and not attacked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, final

import numpy as np

from onnxray.arrays import spread_places
from onnxray.assess.robustness.curves import summary
from onnxray.assess.robustness.item import RobustnessItem
from onnxray.assess.robustness.suites import Suite, suite_of
from onnxray.assess.robustness.transfers import opened_beside, transfer_table
from onnxray.assess.robustness.trust import NO_GRADIENT, Evidence, trust_tests
from onnxray.errors import InputError, NotAClassifier
from onnxray.errors.short_values import short
from onnxray.graph.outputs.facts import CLASS_KINDS
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.images.pixels import Pixels
from onnxray.methods.array_variable import variable_of
from onnxray.methods.as_typed import Unstated, path_texts, plain_fields
from onnxray.methods.attack.base import Attack, group_size, seed_of
from onnxray.methods.attack.oracle import Oracle, Queries
from onnxray.methods.attack.success import OtherClass, criterion_of
from onnxray.methods.attack.threat import NORMS, Floats, NormName
from onnxray.methods.method import Method
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.run import Run
from onnxray.methods.shots import Shots
from onnxray.methods.variable import PixelVariable, Rows
from onnxray.model.model import Model
from onnxray.results.file_names import stem_of
from onnxray.results.finished_items import Tape

DEFAULT_EPS = "1,2,4,8,16"


@final
@dataclass(frozen=True, kw_only=True)
class RobustnessEvaluation(Method[RobustnessItem]):
    """Robust accuracy against the size of the perturbation, by several attacks, judged on saved pictures."""

    name: ClassVar[str] = "evaluate"
    item_type: ClassVar[type[Any]] = RobustnessItem

    norm: Annotated[NormName, "the norm that perturbations are measured by"] = "linf"
    eps: Annotated[str, "budgets in grey levels, of l0 in numbers changed; smallest first, with commas"] = DEFAULT_EPS
    attacks: Annotated[
        str | None, "attacks by name, with commas; default: those that lead the norm, and one by the judge alone"
    ] = None
    reach: Annotated[
        float,
        "how far above a budget an image's smallest norm may lie for the bounded attacks to be tried on it; 1e9: any",
        Range(1.0, 1e9),
    ] = 1.2

    transfer: Annotated[
        str | tuple[str, ...], "another ONNX file: what is made on one of the files is judged on the other; repeatable"
    ] = ()

    trust_images: Annotated[
        int, "on how many images it is tried whether the figure can be believed; 0: on none", Range(0, 100_000)
    ] = 16

    def __post_init__(self) -> None:
        check_choices(self)
        suite = suite_of(self.norm, self.named)
        if self.others and self.norm == "l0":
            raise InputError(
                "--transfer goes by MI-FGSM, which keeps to linf, l2 or l1; leave it out, or state another norm"
            )
        for eps in self.budgets:  # what an attack does not take is refused before anything is opened
            for name in suite.bounded:
                suite.at(name, self.norm, eps)

    @property
    def named(self) -> tuple[str, ...]:
        """The attacks that are named."""
        return () if self.attacks is None else tuple(part.strip() for part in self.attacks.split(","))

    @property
    def others(self) -> tuple[str, ...]:
        """The other files."""
        return (self.transfer,) if isinstance(self.transfer, str) else tuple(self.transfer)

    @property
    def budgets(self) -> tuple[float, ...]:
        """eps as numbers. Errors: InputError."""
        try:
            found = tuple(float(part) for part in self.eps.split(","))
        except ValueError:
            found = ()
        most = 255.0 if self.norm == "linf" else 1e9
        if not found or not all(0 < one <= most for one in found) or list(found) != sorted(set(found)):
            raise InputError(
                f"eps is {short(self.eps)}; numbers above 0{', at most 255,' if most == 255 else ''} were expected, "
                "smallest first, with commas: 1,2,4,8"
            )
        return found

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for it."""
        return "attack", "evaluate"

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options; true classes are a file's there."""
        if goal is not None:
            raise Unstated("its true classes were given as they are, which no command line states")
        return {"images": path_texts("the images", images), **plain_fields(self)}

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[RobustnessItem]:
        """Give an item for every image, in order. goal: the true classes, one an image; None: the model's own."""
        if model.head.kind not in CLASS_KINDS:
            raise NotAClassifier(
                f"output {model.head.name!r} is {model.head.said()}; robust accuracy needs classes; of others ask "
                "an attack by itself what it takes to reach a goal: onnxray attack fmn --target"
            )
        variable = variable_of(model, pixels, None, [model.head.name])
        criterion = criterion_of(variable, None, labels=goal)[0]
        assert isinstance(criterion, OtherClass)
        if goal is None:
            run.note("labels: none were stated, so the model's own answers count as right")
        suite = suite_of(self.norm, self.named)
        suite.check_variable(variable, self.norm, self.budgets)
        missing = why_no_gradient(criterion) if suite.needs_gradients() else None
        if missing is not None:
            suite = suite.without_gradients()
            run.note(f"attacks by gradients are left out: {missing}")
        size = group_size(int(np.prod(variable.start.shape[1:])))
        others = opened_beside(criterion, self.others) if self.others else {}
        after = [*([self._test] if self.trust_images else []), *([self._transferred] if others else [])]
        for start, own in run.units([*range(0, len(variable), size), *after]):
            if not isinstance(start, int):
                start(criterion, suite, own, others)
                continue
            rows = np.arange(start, min(start + size, len(variable)))

            def tell(done: int, total: int, what: str, first: int = start, count: int = len(rows)) -> None:
                share = done / max(1, total) * count
                run.progress(int(1000 * (first + share)), 1000 * len(variable), what)

            group = _Group(self, suite, criterion, rows[criterion.rightly[rows]])
            group.attack(own, tell)
            yield from (group.item(model, row) for row in rows.tolist())
        run.progress(1000 * len(variable), 1000 * len(variable), "evaluate: done")

    def _transferred(self, criterion: OtherClass, _: Suite, run: Run, others: Mapping[str, Oracle]) -> None:
        """What is made on one file and judged on another."""
        count = len(criterion.left)
        for cell in transfer_table(others, self.norm, self.budgets, seed_of(run)):
            run.progress(1000 * count, 1000 * count, f"transfer: {cell['made_on']} to {cell['judged_by']}")
            run.tell("transfer", cell)

    def _test(self, criterion: OtherClass, suite: Suite, run: Run, _: Mapping[str, Oracle]) -> None:
        """Whether the figure can be believed, on images spread evenly over those that are named rightly."""
        right = np.flatnonzero(criterion.rightly)
        if not right.size:
            return
        rows = right[spread_places(len(right), self.trust_images)]
        black = next((name for name, method in suite.bounded.items() if not method.needs_gradients), None)
        evidence = Evidence(
            oracle=asked_of(criterion), norm=NORMS[self.norm], budgets=self.budgets, rows=rows, seed=seed_of(run),
            black=None if black is None else lambda eps: suite.at(black, self.norm, eps),
        )  # fmt: skip
        count = len(criterion.left)
        for test in trust_tests(evidence):
            run.progress(1000 * count, 1000 * count, f"trust: {test.name}")
            run.tell("trust", test.to_dict())

    def extra(self, tape: Tape[RobustnessItem]) -> dict[str, Any]:
        """Clean and robust accuracy, and what each attack did; see curves.py."""
        seconds: dict[str, float] = {}
        for fact in tape.facts("seconds"):
            seconds[fact["attack"]] = seconds.get(fact["attack"], 0.0) + fact["seconds"]
        found = summary(tape.items, self.budgets, seconds, suite_of(self.norm, self.named).alone)
        beside = {name: list(tape.facts(name)) for name in ("trust", "transfer")}
        return {"robustness": {"norm": self.norm, **found, **beside}}


class _Group:
    """Images of a unit that are named rightly (``rows``), and the smallest that was found of each."""

    def __init__(self, evaluation: RobustnessEvaluation, suite: Suite, criterion: OtherClass, rows: Rows) -> None:
        self.evaluation, self.suite, self.criterion, self.rows = evaluation, suite, criterion, rows
        self.norm = NORMS[evaluation.norm]
        self.smallest = np.full(len(rows), np.inf)
        self.best: list[tuple[str, Floats] | None] = [None] * len(rows)
        self.norms: list[dict[str, float | None]] = [{} for _ in rows]
        self.queries: list[dict[str, dict[str, int]]] = [{} for _ in rows]

    def attack(self, run: Run, tell: Any) -> None:
        """Every attack of the suite."""
        seed = seed_of(run)
        bounded = [(eps, name) for eps in reversed(self.evaluation.budgets) for name in self.suite.bounded]
        total = len(self.suite.smallest) + len(bounded)
        for done, (name, method) in enumerate(self.suite.smallest.items()):
            self._run(name, method, np.arange(len(self.rows)), seed, run, tell, done, total)
        for done, (eps, name) in enumerate(bounded, len(self.suite.smallest)):
            near = np.isinf(self.smallest) | (self.smallest <= self.evaluation.reach * eps)
            places = np.flatnonzero((self.smallest > eps) & near)
            self._run(name, self.suite.at(name, self.evaluation.norm, eps), places, seed, run, tell, done, total)

    def _run(
        self, name: str, method: Attack, places: Rows, seed: int, run: Run, tell: Any, done: int, total: int
    ) -> None:
        if not places.size:
            return
        started = time.perf_counter()
        rows = self.rows[places]
        oracle = replace(asked_of(self.criterion), limit=method.queries)

        def part(step: int, steps: int, what: str) -> None:
            tell(done + step / max(1, steps), total, f"{name}: {what}")

        reached = {"start": self._reached(places), "reached": self.smallest[places]} if method.goes_on else {}
        attacked = method.on(oracle, rows, seed, part, **reached)
        whole = method.settled(attacked, method.perturb(attacked))[1]
        met = oracle.met(whole, rows)
        sizes = np.where(met, self.norm.size(whole), np.inf)
        for k, place in enumerate(places.tolist()):
            before, now = self.norms[place].get(name), float(sizes[k]) if met[k] else None
            self.norms[place][name] = min((one for one in (before, now) if one is not None), default=None)
            counts = oracle.queries.row(int(rows[k]))
            earlier = self.queries[place].get(name, {})
            self.queries[place][name] = {kind: count + earlier.get(kind, 0) for kind, count in counts.items()}
            if sizes[k] < self.smallest[place]:
                self.smallest[place], self.best[place] = sizes[k], (name, whole[k])
        run.tell("seconds", {"attack": name, "seconds": time.perf_counter() - started})
        said = oracle.queries.said(rows)
        if said is not None:
            run.note(f"{name}: {said}")

    def _reached(self, places: Rows) -> Floats:
        """(n, numbers): the smallest so far of these images, 0 where there is none."""
        none = np.zeros(int(np.prod(self.criterion.variable.start.shape[1:])), np.float32)
        found = (self.best[place] for place in places.tolist())
        return np.stack([none if one is None else one[1] for one in found])

    def item(self, model: Model, row: int) -> RobustnessItem:
        """What was found of one image, judged alone."""
        place = next(iter(np.flatnonzero(self.rows == row).tolist()), None)
        variable, shots = self.criterion.variable, self.criterion.said
        origin, name = shots.shown(row), shots.names[row]
        pictured, after, gain = isinstance(variable, PixelVariable), None, None
        images = {"origin": variable.start[row]} if pictured else {}
        found = None if place is None else self.best[place]
        if found is not None:
            rows = np.array([row])
            saved = variable.saved(asked_of(self.criterion).samples(found[1][None], rows))
            said = variable.verdict(variable.fed(saved, rows))
            after = Shots(images=saved, names=(None,), predictions=said).shown(0)
            if pictured:
                perturbation, gain = signed_to_grey(saved[0].astype(np.float64) - images["origin"])
                images |= {"image": saved[0], "perturbation": perturbation}
        true = int(self.criterion.left[row])
        smallest = None if found is None or place is None else float(self.smallest[place])
        return RobustnessItem(
            true=true, true_label=model.label(true), origin=origin, correct=place is not None,
            norm=self.norm.name, norms={} if place is None else self.norms[place], smallest=smallest,
            attack=None if found is None else found[0], after=after,
            queries={} if place is None else self.queries[place], gain=gain,
            stems={role: stem_of(name, row, None if role == "origin" else "evaluate", role) for role in images},
            images=images,
        )  # fmt: skip


def asked_of(criterion: OtherClass) -> Oracle:
    """The engines behind a count that begins at none."""
    queries = Queries.none(len(criterion.variable))
    return Oracle(variable=criterion.variable, criterion=criterion, queries=queries)


def why_no_gradient(criterion: OtherClass) -> str | None:
    """Why the file has no gradient at the images; None where it has one."""
    oracle, rows = asked_of(criterion), np.zeros(1, np.int64)
    try:
        oracle.slopes(np.zeros((1, oracle.numbers), np.float32), rows)
    except NO_GRADIENT as error:
        return str(error)
    return None
