"""The family base of saliency methods: a target in, one map an image out, checked, drawn and stamped."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import NotDifferentiable
from onnxray.graph.classifier.predictions import Predictions
from onnxray.graph.outputs.rows_alone import chooses_rows
from onnxray.images.drawing.heat_map import Colormap, MapPictures
from onnxray.images.drawing.samples import SamplePictures
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.method import Method
from onnxray.methods.option_checks import check_choices
from onnxray.methods.run import Run
from onnxray.methods.saliency.item import MapItem
from onnxray.methods.subjects import Subject, Subjects
from onnxray.model.model import Model
from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.gradients import judged, widened
from onnxray.objectives.likeness import Similarity
from onnxray.objectives.objective import Objective
from onnxray.objectives.targets import describe_scores, read_target, targets_of
from onnxray.results.file_names import stem_of

# Images are worked on in groups: large enough to be fast, small enough to come out and to fit in memory.
_GROUP = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Map:
    """What a method gives for one image.

    heat: (height, width) at the image's size. attribution: as it was computed; the heat itself where left out.
    quantile: the share of the map's |numbers| that the colour scale spans; noisy maps leave the topmost out.
    shown_from: where the colour scale of an unsigned map begins, for maps that have an offset.
    arrays, pictures: what else there is to keep and to see, by name; pictures are uint8, CHW.
    """

    heat: NDArray[np.float32]
    attribution: NDArray[np.float32] | None = None
    signed: bool = False
    layer: str | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None
    quantile: float = 1.0
    shown_from: float = 0.0
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    pictures: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Saliency(Method[MapItem]):
    """A saliency method: explains a target, stated beside the images (objectives/targets.py), in one map an image."""

    item_type: ClassVar[type[Any]] = MapItem

    score: Annotated[
        Literal["logit", "log-probability", "probability", "margin"],
        "how a class is scored; margin: over the largest other logit",
    ] = "logit"
    wrt: Annotated[
        str | tuple[str, ...] | None,
        "what maps are of: an input or a value, by name; default: each input of real numbers, or what token ids gather",
    ] = None
    colormap: Annotated[
        Colormap,
        "colours of the pictures; auto: inferno, and for signed maps RdBu; all stay apart for the colour-blind",
    ] = "auto"

    def __post_init__(self) -> None:
        check_choices(self)

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for this method."""
        return "saliency", self.name

    def subjects(self, model: Model) -> str | tuple[str, ...] | None:
        """What maps are of: as is stated, None for each input of real numbers."""
        return self.wrt

    @final
    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[MapItem]:
        """Give the maps of every image, in order; of several subjects (inputs, values) one after the other."""
        subjects = Subjects(model, self.subjects(model))
        size = 1 if chooses_rows(model.graph) else _GROUP
        for start, own in run.units(range(0, len(pixels), size)):
            group = model.encoded(pixels.rows(slice(start, start + size)))
            verdict, logits = model.verdict(group, scores=True), model.aliases["logits"]
            wanted = targets_of(goal, start, len(group), len(pixels))
            objective = read_target(model, group, wanted, self.score, verdict)
            for value in objective.values:
                if value in model.graph.values and value not in model.graph.depends_on_input:
                    raise NotDifferentiable(
                        f"the target {value!r} does not depend on the input, so nothing of the input explains it"
                    )
            for note in describe_scores(model, objective):
                own.note(note)
            if isinstance(objective, Similarity):  # an embedding's numbers are no classes, though as many
                verdict = None
            if isinstance(objective, ClassScore) and verdict is not None and objective.values == (logits,):
                scores = objective.score(widened({logits: verdict.logits}), slice(0, len(group)))
            else:
                scores = judged(model, group, objective)

            def progress(done: int, total: int, what: str, place: int = start, count: int = len(group)) -> None:
                share = done / max(1, total) * count
                run.progress(int(1000 * (place + share)), 1000 * len(pixels), f"{self.name}: {what}")

            for subject, part in subjects.in_turn(group, objective, own.telling(progress)):
                for row, found in self.maps(subject.model, subject.pixels, objective, part):
                    yield self._item(subject, row, start + row, found, objective, verdict, float(scores[row]))
        run.progress(1000 * len(pixels), 1000 * len(pixels), f"{self.name}: done")

    def map_unit(self, score: str, step: str) -> str:
        """What the numbers of its maps are in, "" where they are shares of nothing. step: what the subject is in."""
        return ""

    @abstractmethod
    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """Give (row of the image in ``pixels``, its map); several maps an image where there are several layers."""

    def _item(
        self, subject: Subject, row: int, place: int, found: Map, objective: Objective,
        verdict: Predictions | None, score: float,
    ) -> MapItem:  # fmt: skip
        pixels = subject.pixels
        sample, said = pixels.array[row], None if verdict is None else verdict.row(row)
        sizes = {sample.shape, sample.shape[1:], sample.shape[:-1]} if pixels.plain else {sample.shape[1:]}
        heat = np.ascontiguousarray(found.heat, np.float32)
        if heat.shape not in sizes or not np.isfinite(heat).all():
            raise TypeError(
                f"method {self.name!r} gave a map of {heat.shape}, or not finite; its author must mend that"
            )
        largest = np.abs(heat - np.float32(found.shown_from))
        shown_at = found.shown_from + (float(np.quantile(largest, found.quantile)) or float(largest.max()))
        name = pixels.names[row]
        return MapItem(
            path=name,
            class_=None if said is None else said.class_, label=None if said is None else said.label,
            score=None if said is None else said.score, probability=None if said is None else said.probability,
            target=objective.describe(row), target_score=score, method=self.name, layer=found.layer,
            signed=found.signed, shown_at=shown_at, shown_from=found.shown_from,
            numbers_=dict(found.numbers), reason=found.reason, stem=stem_of(name, place), heat=heat,
            attribution=heat if found.attribution is None else np.ascontiguousarray(found.attribution, np.float32),
            more=found.arrays,
            images=SamplePictures(
                sample=sample, heat=heat - np.float32(found.shown_from), span=shown_at - found.shown_from,
                signed=found.signed, colormap=self.colormap, words=pixels.words[row] if pixels.words else (),
                kind=pixels.kind, title=f"{self.name}: {objective.describe(row)}",
            ) if pixels.plain else MapPictures(
                image=to_uint8(sample), heat=heat - np.float32(found.shown_from),
                span=shown_at - found.shown_from, signed=found.signed, colormap=self.colormap, more=found.pictures,
            ),
            colormap=self.colormap, wrt=subject.name,
            unit=self.map_unit(_score_of(objective), "unit" if pixels.plain else "grey level"),
        )  # fmt: skip


def _score_of(objective: Objective) -> str:
    """What an objective's number is called in the unit of a map."""
    if isinstance(objective, ClassScore):
        return objective.kind
    return "cosine" if isinstance(objective, Similarity) else "score"


def shape_of_maps(pixels: Pixels) -> tuple[int, ...]:
    """(height, width) of images; of samples the whole shape, of embeddings of tokens a number a token."""
    shape = pixels.array.shape[1:]
    if not pixels.plain:
        return shape[1:]
    return shape[:-1] if is_embedding(pixels) else shape


def is_embedding(pixels: Pixels) -> bool:
    """Whether samples are tokens by numbers, the last axis those of one token."""
    return pixels.kind == "token ids" and pixels.array.ndim > 2
