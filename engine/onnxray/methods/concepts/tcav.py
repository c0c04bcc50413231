"""TCAV: testing with concept activation vectors (Kim et al. 2018, arXiv 1711.11279).

    score = |{x : dS/da(x) . v > 0}| / |{x}|

a: a layer's value, S: the score of the target, x: the images; v: the concept's direction there, the normal of the plane
that parts the concept's pictures from random ones (concept_vectors.py). Every trial draws other pictures, as many of
both sets, of one random folder after the other; each is set against a trial of random pictures against random pictures:
two folders, or two halves of the one. p is Welch's two-sided t-test of both scores. A concept counts as significant
below 0.05 over the number of concepts and layers (Bonferroni), and only where held-out pictures are told apart:
a vector that parts them no better than chance points nowhere.

Trials of one folder share pictures, so that p is lower than it would be of independent ones: give several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, ZeroGradient
from onnxray.errors.short_values import short
from onnxray.images.pixels import Pixels
from onnxray.methods.concepts.concept_vectors import FEWEST, concept_vector
from onnxray.methods.concepts.item import ConceptItem
from onnxray.methods.method import Method
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.run import Run
from onnxray.model.layers.grid import read_space
from onnxray.model.layers.map_layers import choose_layers
from onnxray.model.model import Model
from onnxray.objectives.gradients import layer_gradient
from onnxray.objectives.objective import Objective
from onnxray.objectives.targets import describe_scores, read_target
from onnxray.results.file_names import stem_named

Floats = NDArray[np.float64]

_GROUP = 16
_CHANCE = 0.6
"""A mean accuracy on held-out pictures that is no better than this is taken for chance, which is 0.5."""
_LEVEL = 0.05
_LARGEST = 2**27
"""Numbers of the activations of a set: half a gigabyte."""


@final
@dataclass(frozen=True, kw_only=True)
class TCAV(Method[ConceptItem]):
    """TCAV: how many images of a class score higher the more a layer sees of a concept, which pictures show.

    A concept is a folder of pictures (--concept); others (--random), of anything, say what it is told from.
    """

    name: ClassVar[str] = "tcav"
    item_type: ClassVar[type[Any]] = ConceptItem
    images_only: ClassVar[bool] = False

    concept: Annotated[str | tuple[str, ...] | None, "folder of pictures that show a concept; may be repeated"] = None
    random: Annotated[str | tuple[str, ...] | None, "folder of random pictures; may be repeated"] = None
    layer: Annotated[
        str | tuple[str, ...] | None,
        "value or values that the concept is looked for at; default: the last with rows and columns before the pooling",
    ] = None
    trials: Annotated[int, "vectors of each concept, of other pictures each time", Range(2, 10_000)] = 20

    def __post_init__(self) -> None:
        check_choices(self)

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for this method."""
        return ("tcav",)

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[ConceptItem]:
        """Give each concept at each layer."""
        concepts, others = _sets(model, "concept", self.concept), _sets(model, "random", self.random)
        objective = read_target(model, pixels, goal)
        for note in describe_scores(model, objective):
            run.note(note)
        layers = self._layers(model, pixels, objective, run)
        tests, trials = len(layers) * len(concepts), self.trials
        for (place, layer), own in run.units(enumerate(layers)):
            slopes = _slopes(model, pixels, objective, layer)
            random = {name: _activations(model, given, layer) for name, given in others.items()}
            for k, (folder, given) in enumerate(concepts.items()):
                shown = _activations(model, given, layer)

                def tick(done: int, k: int = k, place: int = place) -> None:
                    at = (place * len(concepts) + k) * trials + done
                    run.progress(at, tests * trials, f"{trials} vectors of a concept")

                found = _item(shown, list(random.values()), slopes, trials, own.random, tick)
                item = replace(
                    found, concept=_name(folder, concepts), folder=folder, layer=layer,
                    stem=stem_named(_name(folder, concepts), k, layer, "tcav"),
                    target=_target(objective, len(pixels)), significant=_below(found.p_value, tests),
                )  # fmt: skip
                if item.accuracy <= _CHANCE:
                    own.note(f"{item.concept} at {layer}: {item.reason}")
                    item = replace(item, significant=False)
                yield item

    def _layers(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> tuple[str, ...]:
        if self.layer is not None:
            return model.select_values((self.layer,) if isinstance(self.layer, str) else self.layer)
        grid = choose_layers(read_space(model, pixels), objective.values, ())[0]
        run.note(f"layer {grid.value!r} ({grid.kind}) was chosen; name others with --layer")
        return (grid.value,)


def _sets(model: Model, what: str, folders: str | Sequence[str] | None) -> dict[str, Pixels]:
    """The pictures of each folder. Errors: InputError where there is none, or one holds too few; ImageError."""
    named = (folders,) if isinstance(folders, str) else tuple(folders or ())
    if not named:
        raise InputError(f"no {what} was given; give a folder of pictures: --{what} FOLDER")
    found = {}
    for folder in named:
        if folder in found:
            raise InputError(f"the {what} {short(folder)} is given twice; give each once")
        found[folder] = model.pixels(folder)
        if len(found[folder]) < FEWEST:
            raise InputError(
                f"the {what} {short(folder)} holds {len(found[folder])} pictures; at least {FEWEST} were expected"
            )
    return found


def _name(folder: str, all_of_them: Mapping[str, Any]) -> str:
    """The folder's own name, where no other is called so."""
    names = [Path(one).name for one in all_of_them]
    own = Path(folder).name
    return own if own and names.count(own) == 1 else folder


def _target(objective: Objective, count: int) -> str:
    said = list(dict.fromkeys(objective.describe(row) for row in range(count)))
    return said[0] if len(said) == 1 else f"{said[0]}, and {len(said) - 1} more targets"


def _slopes(model: Model, pixels: Pixels, objective: Objective, layer: str) -> Floats:
    """dS/da of each image: (images, numbers of the layer). Errors: ZeroGradient, InputError."""
    found = []
    for start in range(0, len(pixels), _GROUP):
        rows = np.arange(start, min(start + _GROUP, len(pixels)))
        slopes = layer_gradient(model, pixels.rows(rows), layer, objective.rows(rows))[1]
        found.append(_flat(slopes, len(rows), layer).astype(np.float64))
    joined = np.concatenate(found)
    if not joined.any():
        raise ZeroGradient(
            f"the {objective.describe(0)} does not change with {layer!r}: its gradient is zero for all images; name an "
            "earlier layer"
        )
    return joined


def _activations(model: Model, pixels: Pixels, layer: str) -> NDArray[Any]:
    """(pictures, numbers of the layer), by ONNX Runtime. Errors: InputError."""
    found = [
        _flat(model.values(part, [layer])[layer], len(part), layer)
        for part in (pixels.rows(slice(start, start + _GROUP)) for start in range(0, len(pixels), _GROUP))
    ]
    if len(pixels) * found[0].shape[1] > _LARGEST:
        raise InputError(
            f"{layer!r} holds {found[0].shape[1]} numbers for each of {len(pixels)} pictures, more than half a "
            "gigabyte; name a later layer, or show fewer pictures"
        )
    return np.concatenate(found)


def _flat(value: NDArray[Any], count: int, layer: str) -> NDArray[Any]:
    if value.ndim < 2 or len(value) != count or value.dtype.kind != "f":
        raise InputError(
            f"{layer!r} has the shape {list(value.shape)} and type {value.dtype} for {count} images; real numbers, one "
            "representation an image, were expected: name another layer"
        )
    return value.reshape(count, -1)


def _item(
    shown: NDArray[Any], others: Sequence[NDArray[Any]], slopes: Floats, trials: int, random: np.random.Generator,
    tick: Any,
) -> ConceptItem:  # fmt: skip
    """All that is measured of one concept."""
    vectors, chance = [], []
    for trial in range(trials):
        one = others[trial % len(others)]
        count = min(len(shown), len(one))
        vectors.append(concept_vector(_some(shown, count, random), _some(one, count, random), random))
        if len(others) > 1:
            left, right = (others[k] for k in random.choice(len(others), 2, replace=False))
        else:
            order = random.permutation(len(one))
            left, right = one[order[: len(one) // 2]], one[order[len(one) // 2 :]]
        count = min(len(left), len(right))
        chance.append(concept_vector(_some(left, count, random), _some(right, count, random), random))
        tick(trial + 1)
    sensitivities = np.stack([slopes @ vector.direction for vector in vectors])
    scores = (sensitivities > 0).mean(1)
    random_scores = np.stack([(slopes @ vector.direction > 0).mean() for vector in chance])
    accuracy = float(np.mean([vector.accuracy for vector in vectors]))
    p_value = welch(scores, random_scores)
    reason = None
    if accuracy <= _CHANCE:
        reason = (
            f"held-out pictures of the concept are told from random ones {accuracy:.0%} of the time, 50% being chance: "
            "the score means nothing here"
        )
    elif p_value is None:
        reason = "no score varies over the trials, so there is no p value"
    return ConceptItem(
        concept="", folder="", layer="", target="", images=len(slopes), pictures_=len(shown),
        score=float(scores.mean()), spread=float(scores.std(ddof=1)), random_score=float(random_scores.mean()),
        random_spread=float(random_scores.std(ddof=1)), p_value=p_value, significant=False, accuracy=accuracy,
        trials=trials, reason=reason, stem="", scores=scores, random_scores=random_scores,
        sensitivities=sensitivities.astype(np.float32),
    )  # fmt: skip


def _some(array: NDArray[Any], count: int, random: np.random.Generator) -> NDArray[Any]:
    return array[random.choice(len(array), count, replace=False)]


def _below(p_value: float | None, tests: int) -> bool:
    return p_value is not None and p_value < _LEVEL / tests


def welch(one: Floats, other: Floats) -> float | None:
    """p that two samples have one mean: Welch's t-test, two-sided; None where neither varies."""
    from scipy.stats import t

    if not np.ptp(one) and not np.ptp(other):
        return None
    parts = [float(sample.var(ddof=1)) / len(sample) for sample in (one, other)]
    freedom = sum(parts) ** 2 / sum(part**2 / (len(sample) - 1) for part, sample in zip(parts, (one, other)))
    return float(2 * t.sf(abs(one.mean() - other.mean()) / sum(parts) ** 0.5, freedom))
