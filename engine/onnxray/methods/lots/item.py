"""What LOTS gives for one origin, one target and one layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
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


@dataclass(frozen=True, kw_only=True, eq=False)
class LotsItem(Item):
    """One perturbed image and its numbers; everything is measured on the 8-bit pictures.

    l2, linf: of image - origin, in grey levels. ssim: unaligned. similarity: PASS. distance_*: of the representation to
    the target's (Euclidean, or 1 - cosine); for ``inhibit`` and ``magnify`` the Euclidean norm of the representation
    itself. scale: the multiple of eta / max|eta| that was added (line search), or the grey levels a step (steps > 1).
    steps: gradients taken. success: whether the goal in ``until`` was reached on the 8-bit image, by the judge. class_,
    label, score, probability: its verdict on it; None where the model is no classifier.
    aim: where ``until`` is a comparison, what is compared (``of``), and its number ``before`` and ``after``.
    moved: of arrays, which inputs or which value were moved (``wrt``), and of each its ``kind``, ``unit`` (what a scale
    of 1 adds, a 255th of the origin's range), ``l2`` and ``linf`` in its own units; arrays_: they themselves, by role.
    Then l2 and linf are over all of them; SSIM and PASS are of a picture alone, and there is no gain.
    """

    mode: str
    layer: str
    origin: Shown
    target: Shown | None
    target_source: str | None
    success: bool
    until: str
    search: str
    scale: float
    steps: int
    class_: int | None
    label: str | None
    score: float | None
    probability: float | None
    l2: float
    linf: float
    similarity: PassScore | None
    ssim: float | None
    metric: str
    distance_before: float
    distance_after: float
    cosine_before: float | None
    cosine_after: float | None
    gain: float | None
    reason: str | None
    stems: Mapping[str, str] = field(repr=False)
    images: Mapping[str, Image8] = field(repr=False)
    aim: Mapping[str, Any] | None = None
    moved: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    arrays_: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        name = Path(self.origin.path).name if self.origin.path else "origin"
        became = "" if self.label is None else f", class {self.origin.label} to {self.label}"
        reached = "reached" if self.success else "not reached"
        norms = f"L2 {short_number(self.l2)}, Linf {short_number(self.linf)}"
        return one_line(self, f"{name}: {self.mode} at {self.layer}, {reached}, {norms}{became}")

    def measured_again(self) -> dict[str, Any]:
        """What the two pictures tell: L2 and Linf of their difference."""
        return {} if self.moved else change_measured_again(self.images)

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        score = self.similarity
        return {
            "mode": self.mode,
            "origin": self.origin.to_dict(),
            "target": None if self.target is None else self.target.to_dict(),
            "target_values": self.target_source,
            "layer": self.layer,
            "success": self.success,
            "until": self.until,
            "class": self.class_,
            "label": self.label,
            "score": self.score,
            "probability": self.probability,
            "l2": self.l2,
            "linf": self.linf,
            "ssim": self.ssim,
            **(NO_PASS if score is None else score.to_dict()),
            "scale": self.scale,
            "steps": self.steps,
            "search": self.search,
            "metric": self.metric,
            "distance_before": self.distance_before,
            "distance_after": self.distance_after,
            "cosine_similarity_before": self.cosine_before,
            "cosine_similarity_after": self.cosine_after,
            "perturbation_gain": self.gain,
            "reason": self.reason,
            **({"aim": self.aim} if self.aim else {}),
            **({"wrt": list(self.moved), "moved": self.moved} if self.moved else {}),
        }

    def pictures(self) -> dict[str, tuple[str, Image8]]:
        """The origin, the target where there is one, the perturbed image, and the perturbation around grey 128.

        Of arrays a ``figure`` of each that can be drawn: what came of it, and the perturbation in colours.
        """
        return {role: (self.stems[role], self.images[role]) for role in self.images}

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """Of arrays: ``origin``, ``target``, ``image`` (what came of it) and ``perturbation`` of each, by name."""
        return {role: (self.stems[role], array) for role, array in self.arrays_.items()}

    def drawn_in(self, palette: Palette, /) -> Self:
        """The item with its figures of samples that are no pictures in other colours."""
        return replace(self, images=drawn_in(self.images, palette))

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        plain = {f.name: document[f.name] for f in fields(cls) if f.name in document}
        plain |= {
            "class_": document["class"],
            "origin": Shown.restore(document["origin"]),
            "target": None if document["target"] is None else Shown.restore(document["target"]),
            "target_source": document["target_values"],
            "similarity": None if document["pass"] is None else PassScore.restore(document),
            "cosine_before": document["cosine_similarity_before"],
            "cosine_after": document["cosine_similarity_after"],
            "gain": document["perturbation_gain"],
            **of_files(document, pictures),
        }
        return cls(**plain)
