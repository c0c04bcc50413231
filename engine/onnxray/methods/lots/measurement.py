"""The numbers of a LOTS image, all measured on the 8-bit pictures that are saved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.errors import InputError
from onnxray.graph.classifier.predictions import Predictions
from onnxray.images.distances import PassScore, l2, linf, perceptual_similarity, ssim
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.images.pixels import Pixels
from onnxray.methods.lots.aim import Aim, Group, Shots
from onnxray.methods.lots.item import LotsItem, Shown
from onnxray.methods.lots.line_search import Found
from onnxray.model.model import Model


def measure(model: Model, group: Group, layer: str, pair: int, found: Found, steps: int) -> LotsItem:
    """Judge and measure the image that a pair ended on at one layer, after so many gradients.

    The judge is asked twice, for the verdict and for the representation at the layer.
    """
    aim, one, image = group.aim, np.array([pair]), found.image
    pixels = model.encoded(Pixels.of(image[None]))
    said = model.verdict(pixels, scores=True)
    before = group.before[layer][group.rows(one)]
    after = model.judge.values(model.feeds(pixels), [layer], among=group.before)[layer]
    distances = [float(group.distances(layer, values, one)[0]) for values in (before, after)]
    cosines: list[float | None] = [None, None]
    if group.wanted is not None:
        cosines = [1 - float(group.distances(layer, values, one, "cosine")[0]) for values in (before, after)]
    confirmed = found.search == "none" or (found.reached and _confirmed(model, group, layer, image, one, said, after))
    origin = aim.origin(pair)
    similarity, unaligned, too_small = _similarity(image, origin)
    perturbation, gain = signed_to_grey(image.astype(np.float64) - origin)
    stems, images = _files(aim, layer, pair, image, perturbation)
    judged = shown(Shots(images=image[None], names=(None,), predictions=said), 0)
    return LotsItem(
        mode=aim.mode, layer=layer, origin=shown(aim.origins, int(aim.origin_of[pair])),
        target=None if aim.targets is None else shown(aim.targets, int(aim.target_of[pair])),
        target_source=aim.source, success=found.reached and confirmed, until=aim.until, search=found.search,
        scale=found.scale, steps=steps, class_=judged.class_, label=judged.label, score=judged.score,
        probability=judged.probability, l2=l2(image, origin), linf=linf(image, origin), similarity=similarity,
        ssim=unaligned, metric="euclidean" if group.wanted is None else aim.stop.metric,
        distance_before=distances[0], distance_after=distances[1], cosine_before=cosines[0], cosine_after=cosines[1],
        gain=gain, reason="; ".join(filter(None, (_missed(aim, found, steps, confirmed), too_small))) or None,
        stems=stems, images=images,
    )  # fmt: skip


def shown(shots: Shots, index: int) -> Shown:
    """One image of a batch as the judge sees it."""
    said = None if shots.predictions is None else shots.predictions.row(index)
    return Shown(
        path=shots.names[index], class_=None if said is None else said.class_,
        label=None if said is None else said.label, score=None if said is None else said.score,
        probability=None if said is None else said.probability,
    )  # fmt: skip


def _confirmed(
    model: Model, group: Group, layer: str, image: Image8, one: NDArray[np.int64], said: Predictions | None,
    after: NDArray[np.generic],
) -> bool:  # fmt: skip
    """Whether the saved image alone has arrived.

    A search judges many images at once. Where that tells on the verdict (scales that an int8 model takes from the
    whole batch), the verdict on the saved image alone is what counts.
    """
    until = group.aim.until
    if until == "linf":
        return bool(group.far(image[None], one)[0])
    if until == "distance":  # the search read the layer by a session of its own, which may round otherwise
        return bool(group.near(layer, after, one)[0] or group.met(model, layer, image[None], one)[0])
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


def _files(
    aim: Aim, layer: str, pair: int, image: Image8, perturbation: Image8
) -> tuple[dict[str, str], dict[str, Image8]]:
    """What the pictures of an item are called, and the pictures, by what they show."""
    origin, target = int(aim.origin_of[pair]), int(aim.target_of[pair])
    stems, images = {"origin": f"origin-{origin:04d}"}, {"origin": aim.origins.images[origin]}
    if aim.targets is not None:
        stems["target"], images["target"] = f"target-{target:04d}", aim.targets.images[target]
    stems |= {role: f"{aim.mode}-{pair:04d}-{layer}-{role}" for role in ("image", "perturbation")}
    return stems, images | {"image": image, "perturbation": perturbation}


def _similarity(image: Image8, origin: Image8) -> tuple[PassScore | None, float | None, str | None]:
    """PASS and SSIM, or the reason why there are none."""
    try:
        return perceptual_similarity(image, origin), ssim(image, origin), None
    except InputError as error:
        return None, None, f"no SSIM and PASS: {error}"
