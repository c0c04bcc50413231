"""The base of attacks that make perturbations on another model and have them judged on this one.

    d = attack(other model, x_0, what is asked of this one),   judged on this file

Any attack works on the other model, with options of its own; norm and budget are among them. What it gives is brought
into [0, 255] and rounded within its budget; of an attack that looks for the smallest norm the direction is kept, and
its length searched for on this file (smallest.py). Classes are those of this file, by number: both must number them
alike; of a file that gives labels alone the other model says which label each of its classes stands for. Passes of the
other model are told apart (``other_passes``), and so is whether it was fooled itself (``other_success``): transfer
fails where it was and this file was not.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.methods.array_variable import ArrayVariable, variable_of
from onnxray.methods.attack.base import Attack, Attacked, Perturbations
from onnxray.methods.attack.oracle import Oracle, Queries
from onnxray.methods.attack.success import Compared, Criterion, OtherClass, OtherLabel, criterion_of
from onnxray.methods.attack.threat import Floats, Norm
from onnxray.methods.option_checks import check_choices
from onnxray.methods.options_from_text import configured
from onnxray.methods.shots import Shots
from onnxray.methods.variable import Variable
from onnxray.model.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class OtherModel:
    """The other model, what it is called in errors, and ``told``, what every item says of it.

    labels: where the attacked file gives labels and no classes, which labels its classes stand for, in order.
    """

    model: Model
    name: str
    told: Mapping[str, Any]
    labels: tuple[str, ...] | None = None

    def classes_of(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """By their labels. Errors: InputError."""
        known = self.labels
        if known is None:
            raise InputError("this file gives labels alone, and another file's classes cannot be told by them")
        for label in labels:
            if label not in known:
                raise InputError(
                    f"{self.name} has not met the label {short(label)}; it knows {', '.join(map(short, known[:8]))}"
                    f"{', ...' if len(known) > 8 else ''}: give pictures of it as well, or name one of these"
                )
        return np.array([known.index(label) for label in labels], np.int64)


@dataclass(frozen=True, kw_only=True)
class FromElsewhere(Attack):
    """An attack by way of another model."""

    of: Annotated[str, "the attack on the other model, by name"] = "pgd"
    setting: Annotated[
        str | tuple[str, ...], "an option of that attack, as OPTION=VALUE (norm=l2, eps=128); may be repeated"
    ] = ()

    def __post_init__(self) -> None:
        check_choices(self)
        if self.of == self.name:
            raise InputError(f"{self.name} was asked to repeat itself; name another attack (--of)")
        self.made_by()

    @abstractmethod
    def elsewhere(self, attacked: Attacked) -> OtherModel:
        """The other model."""

    def made_by(self) -> Attack:
        """The attack on the other model. Errors: InputError."""
        from onnxray.methods.catalogue import family

        settings = (self.setting,) if isinstance(self.setting, str) else self.setting
        known = family(Attack)  # type: ignore[type-abstract]
        (found,) = configured(known, (self.of,), [f"{self.of}.{one}" for one in settings])
        if found.has_own_goal():
            raise InputError(f"{self.of} has an aim of its own, which is no class; name another attack (--of)")
        return replace(found, float_=self.float_, queries=self.queries)

    @property
    def measure(self) -> Norm:
        """That of the attack."""
        return self.made_by().measure

    @property
    def budget(self) -> float | None:
        """That of the attack."""
        return self.made_by().budget

    def check_variable(self, variable: Variable) -> None:
        """As the attack. Errors: InputError."""
        self.made_by().check_variable(variable)

    def beside(self, attacked: Attacked, whole: Floats) -> Mapping[str, Sequence[Any]]:
        """As the attack, by this file."""
        return self.made_by().beside(attacked, whole)

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The attack's, of the same samples on the other file."""
        oracle, count = attacked.oracle, len(attacked)
        elsewhere = self.elsewhere(attacked)
        variable = self._same_samples(elsewhere.model, oracle.variable, attacked)
        if variable.start.shape[1:] != oracle.variable.start.shape[1:]:
            raise InputError(
                f"{elsewhere.name} takes samples of {list(variable.start.shape[1:])}, and this file of "
                f"{list(oracle.variable.start.shape[1:])}; name one that takes the same"
            )
        queries, everyone = Queries.none(count), np.arange(count)
        criterion = self._same_goal(oracle.criterion, variable, attacked, elsewhere)
        other = Oracle(variable=variable, criterion=criterion, queries=queries, limit=self.queries)
        found = self.made_by().perturb(replace(attacked, oracle=other, rows=everyone))
        passes = queries.total.tolist()
        success = other.met(other.rounded(found.d, everyone, self.measure, attacked.eps), everyone)
        same = {key: [fact] * count for key, fact in elsewhere.told.items()}
        numbers = {**found.numbers, "other_passes": passes, "other_success": success.tolist(), **same}
        return Perturbations(d=oracle.within(found.d, attacked.rows), whole=found.whole, numbers=numbers)

    def settled(self, attacked: Attacked, found: Perturbations) -> tuple[Perturbations, Floats]:
        """As the attack does, by this file."""
        return self.made_by().settled(attacked, found)

    @staticmethod
    def _same_samples(model: Model, variable: Variable, attacked: Attacked) -> Variable:
        """Those of the group, as the other model takes them. Errors: InputError, ImageError."""
        samples = variable.samples.rows(attacked.rows)
        if isinstance(variable, ArrayVariable):
            if variable.whole is not variable.model or len(variable.names) > 1 or samples.beside:
                raise InputError(
                    f"{', '.join(variable.names)} of this file cannot be handed to another file; transfer changes one "
                    "picture, or the one array that a file takes"
                )
            return variable_of(model, model.pixels(samples.array), None, [model.head.name])
        return variable_of(model, model.pixels(samples), None, [model.head.name])

    @staticmethod
    def _same_goal(criterion: Criterion, variable: Variable, attacked: Attacked, elsewhere: OtherModel) -> Criterion:
        """What is asked of this file, of the other. Errors: InputError."""
        if isinstance(criterion, Compared):
            return criterion_of(variable, criterion.text)[0]
        said = Shots.of(variable)
        if isinstance(criterion, OtherLabel):
            rows = attacked.rows.tolist()
            left = elsewhere.classes_of([criterion.left[row] for row in rows])
            wanted = None
            if criterion.wanted is not None:
                wanted = elsewhere.classes_of([criterion.wanted[row] for row in rows])
            return OtherClass(variable=variable, left=left, wanted=wanted, said=said)
        assert isinstance(criterion, OtherClass)
        left = criterion.left[attacked.rows]
        wanted = None if criterion.wanted is None else criterion.wanted[attacked.rows]
        most = int(max(left.max(), -1 if wanted is None else wanted.max()))
        classes = 0 if said.predictions is None else said.predictions.probabilities.shape[1]
        if most >= classes:
            raise InputError(
                f"{elsewhere.name} has {classes or 'no'} classes, and class {most} of this file is asked for; name "
                "a file that numbers its classes alike"
            )
        return OtherClass(variable=variable, left=left, wanted=wanted, said=said)
