"""What an attack gives for one sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.distances import NO_PASS, PassScore
from onnxray.images.drawing.page.palette import Palette
from onnxray.images.drawing.samples import drawn_in
from onnxray.methods.shots import Shown, change_measured_again
from onnxray.notebooks.displayed import one_line, short_number
from onnxray.results.item import Item, of_files

_PLAIN = ("method", "goal", "norm", "eps", "success", "l2", "linf", "l1", "l0", "ssim", "reason")


@dataclass(frozen=True, kw_only=True, eq=False)
class AttackItem(Item):
    """One perturbed sample and its numbers, all measured on what is saved: of pixels the 8-bit picture.

    goal: what was asked for, in words. norm, eps: the budget in grey levels (None: the attack looks for the smallest).
    success: whether the judge says of the saved sample what was asked for; judged: what it says. l2, linf, l1, l0: of
    the saved perturbation, in grey levels (l0: how many numbers differ); of arrays in 255ths of the sample's range.
    similarity: PASS. queries: how often the sample was asked about, by ``judge``, ``forward`` and ``backward`` in the
    twin. unrounded: success, class and norms of the sample before it was rounded, by the judge, where that was asked.
    numbers_: what else the attack has to say. gain: what the drawn perturbation is multiplied by. moved: of arrays that
    were changed in place of pixels, by name, kind, unit (what a 255th is), L2 and L_inf in their own units.
    """

    method: str
    goal: str
    norm: str
    eps: float | None
    origin: Shown
    judged: Shown
    success: bool
    l2: float
    linf: float
    l1: float
    l0: float
    similarity: PassScore | None
    ssim: float | None
    queries: Mapping[str, int]
    unrounded: Mapping[str, Any] | None
    numbers_: Mapping[str, Any]
    gain: float | None
    reason: str | None
    stems: Mapping[str, str] = field(repr=False)
    images: Mapping[str, Image8] = field(repr=False)
    moved: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    arrays_: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        name = Path(self.origin.path).name if self.origin.path else "sample"
        became = "" if self.judged.label is None else f", class {self.origin.label} to {self.judged.label}"
        reached = "reached" if self.success else "not reached"
        norm = short_number(self.norms[self.norm])
        return one_line(self, f"{name}: {self.method}, {self.goal}, {reached}, {self.norm} {norm}{became}")

    def measured_again(self) -> dict[str, Any]:
        """What the two pictures tell: L2 and Linf of their difference."""
        return {} if self.arrays_ else change_measured_again(self.images)

    @property
    def norms(self) -> dict[str, float]:
        """Name -> norm of the saved perturbation."""
        return {"linf": self.linf, "l2": self.l2, "l1": self.l1, "l0": self.l0}

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        score = self.similarity
        return {
            "method": self.method, "goal": self.goal, "norm": self.norm, "eps": self.eps, "success": self.success,
            **self.norms, "ssim": self.ssim, "reason": self.reason,
            "path": self.origin.path, "origin": self.origin.to_dict(), "class": self.judged.class_,
            "label": self.judged.label, "score": self.judged.score, "probability": self.judged.probability,
            **(NO_PASS if score is None else score.to_dict()),
            "queries": dict(self.queries), "float": self.unrounded, "perturbation_gain": self.gain,
            **self.numbers_, "numbers": list(self.numbers_),
            **({"wrt": list(self.moved), "moved": self.moved} if self.moved else {}),
        }  # fmt: skip

    def pictures(self) -> dict[str, tuple[str, Image8]]:
        """The origin, the perturbed image, and the perturbation around grey 128; of arrays a ``figure`` of each."""
        return {role: (self.stems[role], picture) for role, picture in self.images.items()}

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """Of arrays: ``origin``, ``image`` (what came of it) and ``perturbation`` of each, by name."""
        return {role: (self.stems[role], array) for role, array in self.arrays_.items()}

    def drawn_in(self, palette: Palette, /) -> Self:
        """The item with its figures of samples that are no pictures in other colours."""
        return replace(self, images=drawn_in(self.images, palette))

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        return cls(
            **{name: document[name] for name in _PLAIN},
            origin=Shown.restore(document["origin"]), judged=Shown.restore({**document, "path": None}),
            similarity=None if document["pass"] is None else PassScore.restore(document),
            queries=document["queries"], unrounded=document["float"], gain=document["perturbation_gain"],
            numbers_={name: document[name] for name in document["numbers"]},
            moved=document.get("moved", {}), **of_files(document, pictures),
        )  # fmt: skip
