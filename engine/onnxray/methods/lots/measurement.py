"""The numbers of a LOTS image, all measured on what is saved: the 8-bit picture, or the arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.graph.classifier.predictions import Predictions
from onnxray.images.distances import l2, linf, similarities
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.images.pixels import Pixels
from onnxray.methods.array_variable import ArrayVariable
from onnxray.methods.attack.line_search import Found
from onnxray.methods.lots.aim import Aim, Group
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.lots.moved_arrays import of_arrays
from onnxray.methods.shots import Shots


def measure(group: Group, layer: str, pair: int, found: Found, steps: int) -> LotsItem:
    """Judge and measure what a pair ended on at one layer, after so many gradients.

    The judge is asked twice, for the verdict and for the representation at the layer.
    """
    aim, one, image = group.aim, np.array([pair]), found.image
    variable = aim.variable
    model = variable.model
    samples = model.encoded(variable.fed(image[None], aim.origin_of[one]))
    said = variable.verdict(samples)
    before = group.before[layer][group.rows(one)]
    after = model.judge.values(model.feeds(samples), [layer], among=group.before)[layer]
    distances = [float(group.distances(layer, values, one)[0]) for values in (before, after)]
    cosines: list[float | None] = [None, None]
    if group.wanted is not None:
        cosines = [1 - float(group.distances(layer, values, one, "cosine")[0]) for values in (before, after)]
    confirmed = found.search == "none" or (found.reached and _confirmed(group, layer, image, one, said, after))
    seen = (of_arrays if isinstance(variable, ArrayVariable) else _of_pixels)(aim, layer, pair, image)
    judged = Shots(images=image[None], names=(None,), predictions=said).shown(0)
    return LotsItem(
        mode=aim.mode, layer=layer, origin=aim.origins.shown(int(aim.origin_of[pair])),
        target=None if aim.targets is None else aim.targets.shown(int(aim.target_of[pair])),
        target_source=aim.source, success=found.reached and confirmed, until=aim.until, search=found.search,
        scale=found.scale, steps=steps, class_=judged.class_, label=judged.label, score=judged.score,
        probability=judged.probability,
        metric="euclidean" if group.wanted is None else aim.stop.metric,
        distance_before=distances[0], distance_after=distances[1], cosine_before=cosines[0], cosine_after=cosines[1],
        aim=_aim(aim, samples, int(aim.origin_of[pair])),
        **{**seen, "reason": "; ".join(filter(None, (_missed(aim, found, steps, confirmed), seen["reason"]))) or None},
    )  # fmt: skip


def _aim(aim: Aim, samples: Pixels, row: int) -> dict[str, Any] | None:
    """What a condition compares, and the number that it was and is; None where there is none."""
    if aim.condition is None or aim.condition_before is None:
        return None
    after = aim.condition.scores(aim.variable.model, samples, np.array([row]))[0]
    before = aim.condition_before[row]
    return {"of": aim.condition.describe(row), "before": float(before), "after": float(after)}


def _confirmed(
    group: Group, layer: str, image: NDArray[Any], one: NDArray[np.int64], said: Predictions | None,
    after: NDArray[np.generic],
) -> bool:  # fmt: skip
    """Whether the saved image alone has arrived.

    A search judges many images at once. Where that tells on the verdict (scales that an int8 model takes from the
    whole batch), the verdict on the saved image alone is what counts.
    """
    until = group.aim.until
    if group.aim.condition is not None:
        return bool(group.met(layer, image[None], one)[0])
    if until == "linf":
        return bool(group.far(image[None], one)[0])
    if until == "distance":  # the search read the layer by a session of its own, which may round otherwise
        return bool(group.near(layer, after, one)[0] or group.met(layer, image[None], one)[0])
    assert said is not None  # no class is aimed at of what is no classifier
    return bool(group.classed(said.classes, one)[0])


def _missed(aim: Aim, found: Found, steps: int, confirmed: bool) -> str | None:
    """Why the goal was not reached; None where it was."""
    if found.reached:
        return None if confirmed else f"the goal ({aim.until}) is reached in a batch, but not by the saved image alone"
    if found.search == "step-and-adjust":
        how = f"{steps} steps; try more --steps, or a larger --step-size"
    else:
        how = f"scale {found.scale:g}"
        if found.search == "bisection":
            how = f"the scales 1, 2, 4, ..., {found.scale:g}; --search integers tries all"
        how += "; try --steps 100, which takes the gradient anew at each step"
    return f"the goal ({aim.until}) was not reached within {how}"


def _of_pixels(aim: Aim, layer: str, pair: int, image: NDArray[Any]) -> dict[str, Any]:
    """Distances and pictures of an item, by its fields."""
    origin = aim.origin(pair)
    similarity, unaligned, too_small = similarities(image, origin)
    perturbation, gain = signed_to_grey(image.astype(np.float64) - origin)
    target = int(aim.target_of[pair])
    images = {"origin": origin}
    if aim.targets is not None:
        images["target"] = aim.targets.images[target]
    images |= {"image": image, "perturbation": perturbation}
    return {
        "l2": l2(image, origin), "linf": linf(image, origin), "similarity": similarity, "ssim": unaligned,
        "gain": gain, "reason": too_small, "images": images,
        "stems": {role: aim.stem(pair, layer, role) for role in images},
    }  # fmt: skip
