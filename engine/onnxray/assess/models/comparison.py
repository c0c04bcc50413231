"""Models on the same pictures: predictions, values layer by layer, maps; the first is what the others stand beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, final

import numpy as np

from onnxray.assess.maps.summary import spread
from onnxray.assess.models.alignment import Alignment, align
from onnxray.assess.models.item import ModelsItem
from onnxray.assess.models.layer_errors import layer_errors, parting, worst
from onnxray.assess.models.maps import maps_beside
from onnxray.assess.models.predictions import agreement, answers_apart, compared, said
from onnxray.errors import InputError
from onnxray.graph.classifier.predictions import Predictions
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile
from onnxray.methods.as_typed import Unstated, opening, path_texts, plain_fields, settings_of, target_text
from onnxray.methods.method import Method
from onnxray.methods.option_checks import check_range
from onnxray.methods.run import Run
from onnxray.methods.saliency.base import Saliency
from onnxray.model.model import Model
from onnxray.objectives.targets import targets_of
from onnxray.results.file_names import stem_of
from onnxray.results.finished_items import Tape

_GROUP = 8
"""Pictures that are worked on together."""
_OF_PICTURES: Final = (
    "layout", "channels", "scale", "mean", "std", "size", "resize", "interpolation", "crop_fraction", "resized",
    "crop_offset", "fill",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Other:
    """A model that stands beside the first, and the same pictures as it reads them."""

    model: Model
    pixels: Pixels


@final
@dataclass(frozen=True, kw_only=True)
class ModelComparison(Method[ModelsItem]):
    """What other models make of the same pictures as a first one: what they say, their values, their maps.

    Each model sees the pictures through its own profile. Predictions and values are ONNX Runtime's alone; maps are the
    method's. What cannot be compared is refused by itself, with the reason, in ``extra["models"]``; where nothing of
    two models can be, InputError. ``extra["models"]``: for each of the others its file, the alignment of values, the
    worst error of each layer over the pictures, ``parts_at``, and agreement.
    """

    name: ClassVar[str] = "compare-models"
    item_type: ClassVar[type[Any]] = ModelsItem
    images_only: ClassVar[bool] = False

    others: tuple[Other, ...]
    method: Saliency | None = None
    top: Annotated[int, "classes that are listed of each model"] = 5

    def __post_init__(self) -> None:
        check_range("top", self.top, 1, 1000)
        if not self.others:
            raise InputError("one model was given to compare; give two or more, and then images")

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for it."""
        return ("compare",)

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options: the other models before the images, each with its profile."""
        opened = [opening(other.model) for other in self.others]
        profiles = [str(one["profile"]) for one in opened if one["profile"] is not None]
        if len(profiles) not in {0, len(opened)}:
            raise Unstated("profiles were given for some of the models, which no command line states")
        method: dict[str, Any] = {"map_method": "none"}
        if self.method is not None:
            method = {"map_method": self.method.name, "settings": settings_of([self.method])}
        return {
            "images": [*(str(one["model"]) for one in opened), *(path_texts("the images", images) or ())],
            "target": target_text(goal), "other_profile": profiles or None, **method,
            **plain_fields(self, without=("others", "method")),
        }  # fmt: skip

    def options(self) -> dict[str, Any]:
        """The options, the other models by what they are, as they stand in provenance."""
        method = None if self.method is None else {"name": self.method.name, **self.method.options()}
        return {"others": [_described(other.model) for other in self.others], "method": method, "top": self.top}

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[ModelsItem]:
        """Give an item for each picture and each of the others, picture by picture in groups."""
        for number, other in enumerate(self.others):
            if len(other.pixels) != len(pixels):
                raise InputError(f"model 1 reads {len(pixels)} pictures and model {number + 2} {len(other.pixels)}")
            for note in _said_first(model, other, number + 2):
                run.note(note)
        alignments = [align(model, other.model) for other in self.others]
        steps = len(self.others)
        for start, own in run.units(range(0, len(pixels), _GROUP)):
            place = slice(start, start + _GROUP)
            group = model.encoded(pixels.rows(place))
            answer = model.predict(group)
            goals = targets_of(goal, start, len(group), len(pixels))
            for number, other in enumerate(self.others):
                run.progress(start * steps + number * len(group), len(pixels) * steps, f"model {number + 2}")
                part = _Group(self, model, other, number + 2, alignments[number], own)
                yield from part.items(group, other.model.encoded(other.pixels.rows(place)), answer, goals, start)

    def extra(self, tape: Tape[ModelsItem]) -> dict[str, Any]:
        """``models``: for each of the others what is true of all pictures."""
        facts = list(tape.facts("models"))
        found = []
        for number, other in enumerate(self.others):
            own = [item for item in tape.items if item.model == number + 2]
            told = [fact for fact in facts if fact["model"] == number + 2]
            pairs: list[dict[str, str]] = told[0]["pairs"] if told else []
            reasons = dict.fromkeys(reason for fact in told for reason in fact["reasons"])
            layers = [
                {**pair, **worst([item.layers[k] for item in own if item.layers])} for k, pair in enumerate(pairs)
            ]
            place = parting([layer["relative"] for layer in layers])
            found.append({
                "model": number + 2, **_described(other.model), "alignment": told[0]["said"] if told else None,
                "layers": layers, "parts_at": None if place is None else layers[place]["a"],
                "agreement": agreement([item.compared for item in own]),
                "rank_correlation": spread([item.rank_correlation for item in own]),
                "refused": list(reasons),
            })  # fmt: skip
        return {"models": found}


@dataclass(frozen=True)
class _Group:
    """A group of pictures, by the first model and one of the others, which is the second, third, ... that was given."""

    comparison: ModelComparison
    model: Model
    other: Other
    number: int
    alignment: Alignment
    run: Run

    def items(self, of_a: Pixels, of_b: Pixels, answer: Any, goals: Any, start: int) -> Iterator[ModelsItem]:
        """The items of the group. Errors: InputError where nothing of the two models can be compared."""
        b, top = self.other.model, self.comparison.top
        answered = b.predict(of_b)
        apart = answers_apart(answer, answered, (self.model, b), ("model 1", f"model {self.number}"))
        pairs = self.alignment.pairs
        reasons = [reason for reason in (self.alignment.reason, apart) if reason is not None]
        if not pairs and apart is not None:
            raise InputError(f"nothing of the two models can be compared: {'; '.join(reasons)}")
        tables = layer_errors(self.model, b, of_a, of_b, pairs) if pairs else [[] for _ in range(len(of_a))]
        named = [{"a": pair.a, "b": pair.b, "matched_by": pair.by} for pair in pairs]
        self.run.tell("models", {
            "model": self.number, "pairs": named, "reasons": reasons, "said": self.alignment.said(),
        })  # fmt: skip
        for row in range(len(of_a)):
            target = _target_of(goals, row, answer if apart is None else None)
            maps = self._maps(of_a, of_b, row, target)
            name = of_a.names[row]
            seen = {} if of_a.plain else {"image": to_uint8(of_a.array[row])}
            yield ModelsItem(
                path=name, model=self.number, stem=stem_of(name, start + row), images=seen,
                said=(said(self.model, answer, row, top), said(b, answered, row, top)),
                compared=compared(self.model, answer, answered, row, top) if apart is None else None,
                layers=[_entry(pair, table) for pair, table in zip(named, tables[row])], **maps,
            )  # fmt: skip

    def _maps(self, of_a: Pixels, of_b: Pixels, row: int, target: object) -> dict[str, Any]:
        """The two maps with what is said of them; the reason where there are none."""
        method = self.comparison.method
        if method is None:
            return {}
        if of_a.plain or of_b.plain:
            return {"reason": "no maps: the models take no pictures"}
        alone = np.array([row])
        return maps_beside(
            method, (self.model, self.other.model), (of_a.rows(alone), of_b.rows(alone)), target, self.run,
            (1, self.number),
        )  # fmt: skip


def _target_of(goals: Any, row: int, answer: Any) -> object:
    """What both maps explain: as it is stated for this picture, else the first model's class where both have it."""
    if goals is not None:
        return goals[row] if isinstance(goals, Sequence) and not isinstance(goals, str) else goals
    return f"class:{int(answer.classes[row])}" if isinstance(answer, Predictions) else None


def _entry(pair: dict[str, str], table: dict[str, Any] | None) -> dict[str, Any]:
    if table is None:
        return {**pair, "reason": "the values have no axis of samples"}
    return {**pair, **table}


def _said_first(model: Model, other: Other, number: int) -> Iterator[str]:
    """What is to be known of two models before they are compared."""
    b = other.model
    differing = _apart(model.profile, b.profile)
    if model.graph.identity == b.graph.identity and not differing:
        yield f"model {number} is the same file as model 1, and is read the same way"
    if differing:
        yield f"model {number} sees the pictures through a profile of its own, which differs in {', '.join(differing)}"
    if b.saturates:
        yield f"model {number}: this processor saturates products of 8 bits, which its values show as in use"


def _apart(one: Profile | None, other: Profile | None) -> list[str]:
    """The fields in which two profiles prepare pictures otherwise."""
    if one is None or other is None:
        return []
    a, b = one.to_dict(), other.to_dict()
    return [name for name in _OF_PICTURES if a[name] != b[name]]


def _described(model: Model) -> dict[str, Any]:
    graph, profile = model.graph, model.profile
    return {
        "path": None if graph.path is None else str(graph.path), **graph.identity,
        "profile": None if profile is None else profile.to_dict(),
    }  # fmt: skip
