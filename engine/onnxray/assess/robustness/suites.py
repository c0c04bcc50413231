"""Which attacks an evaluation runs where none are named: those that lead their norm, and different in kind.

``smallest`` look for the smallest norm, once an image; ``bounded`` are run at each budget on what is left standing near
it, in AutoAttack's order (Croce, Hein 2020): by gradients first, by the judge alone last. Where the file has no
gradient the attacks of the judge alone are left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from onnxray.errors import InputError
from onnxray.errors.near_misses import did_you_mean
from onnxray.methods.attack.base import Attack, WithinBudget
from onnxray.methods.attack.threat import NormName
from onnxray.methods.catalogue import family
from onnxray.methods.variable import Variable

Entry = tuple[str, str, Mapping[str, Any]]
"""(what the table calls it, the attack's name, its options)."""


@dataclass(frozen=True)
class Suite:
    """Configured attacks by what the tables call them."""

    smallest: Mapping[str, Attack]
    bounded: Mapping[str, type[WithinBudget]]
    options: Mapping[str, Mapping[str, Any]]

    def needs_gradients(self) -> bool:
        """Whether any of them asks the twin."""
        smallest = any(method.needs_gradients for method in self.smallest.values())
        return smallest or any(method.needs_gradients for method in self.bounded.values())

    @property
    def alone(self) -> tuple[str, ...]:
        """Those that are tried on every image whatever the others found, and have a curve of their own."""
        if not self.smallest:
            return tuple(self.bounded) if len(self.bounded) == 1 else ()
        return tuple(name for k, (name, method) in enumerate(self.smallest.items()) if not (k and method.goes_on))

    def check_variable(self, variable: Variable, norm: NormName, budgets: Sequence[float]) -> None:
        """Refuse samples that one of them cannot change. Errors: InputError."""
        for method in (*self.smallest.values(), *(self.at(name, norm, budgets[0]) for name in self.bounded)):
            method.check_variable(variable)

    def without_gradients(self) -> Suite:
        """Those that ask the judge alone. Errors: InputError where there are none."""
        smallest = {name: method for name, method in self.smallest.items() if not method.needs_gradients}
        bounded = {name: method for name, method in self.bounded.items() if not method.needs_gradients}
        if not smallest and not bounded:
            raise InputError(
                f"the file has no gradient, and {', '.join([*self.smallest, *self.bounded])} need one; name attacks by "
                "the judge alone (--attacks)"
            )
        return Suite(smallest, bounded, self.options)

    def at(self, name: str, norm: NormName, eps: float) -> WithinBudget:
        """One of the bounded attacks at a budget."""
        return self.bounded[name](norm=norm, eps=eps, **self.options[name])


_APGD_T: Final[Entry] = (
    "apgd-t", "bisection", {"of": "apgd", "setting": ("classes=9", "steps=20"), "precision": 0.003}
)  # fmt: skip
"""APGD-T at the smallest budget: of those measured it comes nearest to all others together."""
_SMALLEST: Final[Mapping[NormName, tuple[Entry, ...]]] = MappingProxyType({
    "linf": (("fmn", "fmn", {}), _APGD_T),
    "l2": (("ddn", "ddn", {}), _APGD_T),
    "l1": (("pdpgd", "pdpgd", {}),),
    "l0": (("sigma-zero", "sigma-zero", {}),),
})  # fmt: skip
_APGD_CE: Final[Entry] = ("apgd-ce", "apgd", {"loss": "cross-entropy"})
_SQUARE: Final[Entry] = ("square", "square", {"steps": 1000})
_BOUNDED: Final[Mapping[NormName, tuple[Entry, ...]]] = MappingProxyType({
    "linf": (_APGD_CE, _SQUARE), "l2": (_APGD_CE, _SQUARE), "l1": (("noise", "noise", {}),), "l0": (),
})  # fmt: skip
"""None under l0: nothing by the judge alone keeps to it."""


def suite_of(norm: NormName, names: Sequence[str] = ()) -> Suite:
    """The attacks of a norm, or those that are named. Errors: InputError."""
    known = family(Attack)  # type: ignore[type-abstract]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"the attack {name!r} is named {names.count(name)} times; name each once")
        if name not in known:
            raise InputError(f"there is no attack {name!r}; {did_you_mean(name, known)}there are: {', '.join(known)}")
    chosen: Sequence[Entry] = [(name, name, {}) for name in names] or (*_SMALLEST[norm], *_BOUNDED[norm])
    smallest: dict[str, Attack] = {}
    bounded: dict[str, type[WithinBudget]] = {}
    options: dict[str, Mapping[str, Any]] = {}
    for title, name, stated in chosen:
        method = known[name]
        if method.has_own_goal():
            raise InputError(f"{name} has an aim of its own, which is no class; name another attack (--attacks)")
        if issubclass(method, WithinBudget):
            bounded[title], options[title] = method, stated
            continue
        own = method(**({"norm": norm, **stated} if "norm" in method.__dataclass_fields__ else stated))
        if own.measure.name != norm:
            raise InputError(f"the attack {name!r} keeps {own.measure.name} small, and the evaluation is of {norm}")
        smallest[title] = own
    return Suite(smallest, bounded, options)
