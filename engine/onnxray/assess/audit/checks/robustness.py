"""Robustness: the share of pictures that are named rightly and stay so under every attack within a budget.

    robust accuracy(eps) = mean_i [ C(x_i) = y_i  and no attack finds d, ||d|| <= eps, C(round(x_i + d)) != y_i ]

The evaluation of ``attack evaluate``, picture by picture; success is ONNX Runtime's word on the saved 8-bit picture. It
is an upper bound: a stronger attack may find more. Whether the attacks are weak because gradients are masked is tried
by the evaluation's trust tests on one picture in ``trust_every``, chosen by its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, final

from onnxray.assess.audit.check import Check, Figure, Finding, Outcome, Picture, Row, seed_of, slices_of
from onnxray.assess.audit.measures.picturing import kept, name_of, named_sheet, sheet, unpacked
from onnxray.assess.audit.measures.reading import labelled_class, named, no_classes, row_of_each
from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from onnxray.errors import NotDifferentiable, NotFinite
from onnxray.images.drawing.contact_sheet import Cell
from onnxray.images.pixels import Pixels
from onnxray.methods.attack.threat import NormName, unit_of
from onnxray.methods.option_checks import Range, check_choices
from onnxray.model.model import Model

_OF_SEVERAL: Final = frozenset({"more steps", "restarts", "black box", "linear head", "twin alone"})
"""Trust tests of which one picture is no evidence: they warn above a share, where it is of more than one."""
_HELPS: Final = 0.05
"""That share, as in robustness/trust.py."""
_SHOWN: Final = 8


@final
@dataclass(frozen=True, kw_only=True)
class Robustness(Check):
    """Robust accuracy within a budget, by several attacks, and whether that figure can be believed."""

    name: ClassVar[str] = "robustness"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "the share of pictures that are named rightly whatever an attack adds within a budget"
    chunk: ClassVar[int] = 8
    labelled: ClassVar[bool] = True

    norm: Annotated[NormName, "the norm that perturbations are measured by"] = "linf"
    eps: Annotated[float, "the budget, in grey levels", Range(1e-3, 1e9)] = 2.0
    attacks: Annotated[str, "attacks by name, with commas; 'standard': those of `attack evaluate`"] = "pgd,apgd"
    trust: Annotated[bool, "a trust test that warns fails the check; else it is a warning"] = False
    trust_every: Annotated[
        int, "one picture in so many is put to the trust tests, chosen by its bytes; 0: none", Range(0, 1_000_000)
    ] = 8

    def __post_init__(self) -> None:
        check_choices(self)
        self._evaluation(0)

    def unfit(self, model: Model) -> str | None:
        """Only a classifier of pictures has it."""
        return no_classes(model)

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """Of each picture the smallest norm of a success, by attack, and the trust tests. Unlabelled: its own class."""
        as_labelled = labelled_class(model)

        def measured(picture: Picture, pixels: Pixels) -> Row:
            said = named(model, pixels)
            if isinstance(said, str):
                return {"true": None, "correct": False, "smallest": None, "norms": {}, "trust": [], "reason": said}
            stated = as_labelled(picture, said.probabilities.shape[1])
            true = int(said.classes[0]) if stated is None else stated
            tested = self.trust_every > 0 and int(picture.sha256[:15], 16) % self.trust_every == 0
            evaluation = self._evaluation(int(tested))
            try:
                result = evaluation(model, pixels, [true], seed=seed_of(seed, self, picture))
            except (NotDifferentiable, NotFinite) as error:  # no attack was run, which is no sign of robustness
                correct = bool(said.classes[0] == true)
                return {
                    "true": true, "correct": correct, "smallest": None, "norms": {}, "trust": [], "reason": str(error),
                }  # fmt: skip
            (item,) = result.items
            after = None if item.after is None else item.after.class_
            shown = {role: kept(picture) for role, picture in item.images.items() if tested and item.after is not None}
            return {
                "true": true, "correct": item.correct, "smallest": item.smallest, "norms": dict(item.norms),
                "after": after, "shown": shown,
                "words": [item.true_label, None if item.after is None else item.after.label], "trust": [
                    {key: one[key] for key in ("name", "number", "of", "verdict", "reason")}
                    for one in result.extra["robustness"]["trust"]
                ],
            }  # fmt: skip

        return row_of_each(model, pictures, measured)

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """Robust accuracy, then clean accuracy, the trust tests, what is left after each attack, and the slices."""
        count = len(rows)
        stands = [bool(row["correct"]) and "reason" not in row and not self._flipped(row["smallest"]) for row in rows]
        figures = [
            Figure.share("robust accuracy", sum(stands), count, confidence),
            Figure.share("clean accuracy", sum(bool(row["correct"]) for row in rows), count, confidence),
        ]
        tests = {name: list(_numbers(rows, name)) for name in dict.fromkeys(_names(rows))}
        tested = sum(bool(row["trust"]) for row in rows)
        warned = [_warning(name, own) for name, own in tests.items() if _warns(name, own)]
        figures.append(Figure(
            name="trust warnings", value=len(warned) if tested else None, low=len(warned) if tested else None,
            high=len(warned) if tested else None, count=tested, unit="tests", better="lower",
            reason=None if tested else "no picture was put to the trust tests",
        ))  # fmt: skip
        run = list[str]()
        for attack in dict.fromkeys(name for row in rows for name in row["norms"]):
            run.append(attack)
            left = sum(
                bool(row["correct"])
                and "reason" not in row
                and not any(self._flipped(row["norms"].get(one)) for one in run)
                for row in rows
            )
            figures.append(Figure.share("robust accuracy", left, count, confidence, slice=f"after={attack}"))
        figures += [
            Figure.share("robust accuracy", sum(stands[k] for k in places), len(places), confidence, slice=name)
            for name, places in slices_of(pictures).items()
        ]
        findings = tuple(Finding(level="error" if self.trust else "warning", message=text) for text in warned)
        failed = [row["reason"] for row in rows if "reason" in row]
        if failed:
            text = f"{len(failed)} pictures could not be attacked and count as not robust: {failed[0]}"
            findings = (*findings, Finding(level="warning", message=text))
        unlabelled = sum(picture.label is None for picture in pictures)
        notes = [f"{self.norm} {self.eps:g} {unit_of(self.norm)}, attacks: {self.attacks}"]
        notes += [f"{unlabelled} pictures have no label; their own class counts as right"] if unlabelled else []
        return Outcome(
            figures=tuple(figures), findings=findings, notes=tuple(notes), pictures=self._flips(rows, pictures)
        )

    def _flips(self, rows: Sequence[Row], pictures: Sequence[Picture]) -> tuple[tuple[str, bytes], ...]:
        """What flipped some of the pictures that were put to the trust tests, the smallest norms first."""
        places = [k for k, row in enumerate(rows) if row.get("shown")]
        places.sort(key=lambda k: (rows[k]["smallest"], pictures[k].sha256))
        cells = []
        for k in places[:_SHOWN]:
            row, own = rows[k], {role: unpacked(text) for role, text in rows[k]["shown"].items()}
            before, after = row["words"]
            cells += [
                Cell(own["origin"], (str(before), name_of(pictures[k]))),
                Cell(own["image"], (str(after), f"{self.norm} {row['smallest']:.4g}")),
                Cell(own["perturbation"], ("what was added, enlarged",)),
            ]
        return named_sheet("flipped", sheet("Pictures that an attack flips", cells, across=3))

    def _flipped(self, norm: float | None) -> bool:
        return norm is not None and norm <= self.eps

    def _evaluation(self, trust_images: int) -> RobustnessEvaluation:
        attacks = None if self.attacks == "standard" else self.attacks
        return RobustnessEvaluation(
            norm=self.norm, eps=repr(float(self.eps)), attacks=attacks, trust_images=trust_images
        )


def _names(rows: Sequence[Row]) -> Iterable[str]:
    return (test["name"] for row in rows for test in row["trust"])


def _of(rows: Sequence[Row], name: str) -> Iterable[Mapping[str, Any]]:
    return (test for row in rows for test in row["trust"] if test["name"] == name)


def _numbers(rows: Sequence[Row], name: str) -> Iterable[Mapping[str, Any]]:
    return (test for test in _of(rows, name) if test["verdict"] != "not run")


def _warns(name: str, tests: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a test warns over all pictures; of those of one picture each, where any of them does."""
    numbers = [test["number"] for test in tests if test["number"] is not None]
    if name not in _OF_SEVERAL or len(numbers) < len(tests):
        return any(test["verdict"] == "WARN" for test in tests)
    return bool(sum(numbers) > 1 and sum(numbers) / len(numbers) > _HELPS)


def _warning(name: str, tests: Sequence[Mapping[str, Any]]) -> str:
    """In words: what its number is of, and how large it is over the pictures."""
    numbers = [test["number"] for test in tests if test["number"] is not None]
    why = next((test["reason"] for test in tests if test["verdict"] == "WARN" and test["reason"]), None)
    mean = f"{sum(numbers) / len(numbers):.3g} on average" if numbers else "no number"
    return f"trust test {name!r} warns: {tests[0]['of']}: {mean}{'' if why is None else f'; {why}'}"
