"""The numbers of a LOTS image, all measured on the 8-bit pictures that are saved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.distances import PassScore, l2, linf, perceptual_similarity, ssim
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.images.pixels import Pixels
from onnxray.methods.lots.aim import Aim, Group, Shots
from onnxray.methods.lots.item import LotsItem, Shown
from onnxray.methods.lots.line_search import Found
from onnxray.model.model import Model


def measure(model: Model, group: Group, layer: str, pair: int, found: Found, steps: int) -> LotsItem:
    """Judge and measure the image that a pair ended on at one layer, after so many gradients."""
    aim, one = group.aim, np.array([pair])
    image = Pixels.of(found.image[None])
    judged = Shots(images=found.image[None], names=(None,), predictions=model.predict(image, scores=True))
    before = group.before[layer][group.rows(one)]
    after = model.values(image, list(group.before))[layer]
    metrics = {
        "distance_before": group.distances(layer, before, one),
        "distance_after": group.distances(layer, after, one),
    }
    if group.wanted is not None:
        metrics["cosine_before"] = 1 - group.distances(layer, before, one, "cosine")
        metrics["cosine_after"] = 1 - group.distances(layer, after, one, "cosine")
    # A search judges many images at once. Where that tells on the verdict (scales that an int8 model takes from the
    # whole batch), the verdict on the saved image alone is what counts.
    alone = found.search == "none" or bool(group.met(model, layer, found.image[None], one)[0])
    numbers = {name: float(value[0]) for name, value in metrics.items()}
    return _item(aim, layer, pair, found, steps, shown(judged, 0), numbers, confirmed=alone)


def shown(shots: Shots, index: int) -> Shown:
    """One image of a batch as the judge sees it."""
    said = shots.predictions.row(index)
    assert said.score is not None  # asked for in ``Shots.of`` and ``measure``
    return Shown(
        path=shots.names[index], class_=said.class_, label=said.label, score=said.score, probability=said.probability
    )


def _item(
    aim: Aim,
    layer: str,
    pair: int,
    found: Found,
    steps: int,
    judged: Shown,
    metrics: dict[str, float],
    *,
    confirmed: bool,
) -> LotsItem:
    origin = aim.origin(pair)
    delta = found.image.astype(np.float64) - origin
    picture, gain = signed_to_grey(delta)
    similarity, unaligned, too_small = _similarity(found.image, origin)
    origin_index, target_index = int(aim.origin_of[pair]), int(aim.target_of[pair])
    stems = {"origin": f"origin-{origin_index:04d}"}
    images = {"origin": origin}
    if aim.targets is not None:
        stems["target"] = f"target-{target_index:04d}"
        images["target"] = aim.targets.images[target_index]
    stems |= {role: f"{aim.mode}-{pair:04d}-{layer}-{role}" for role in ("image", "perturbation")}
    images |= {"image": found.image, "perturbation": picture}
    reasons = [too_small] if too_small else []
    if not found.reached:
        how = f"{steps} steps" if found.search == "step-and-adjust" else f"scale {found.scale:g}"
        if found.search == "bisection":
            how = f"the scales 1, 2, 4, ..., {found.scale:g}; --search integers tries all"
        reasons.insert(0, f"the goal ({aim.until}) was not reached within {how}")
    elif not confirmed:
        reasons.insert(0, f"the goal ({aim.until}) is reached in a batch, but not by the saved image alone")
    return LotsItem(
        mode=aim.mode,
        layer=layer,
        origin=shown(aim.origins, origin_index),
        target=None if aim.targets is None else shown(aim.targets, target_index),
        target_source=aim.source,
        success=found.reached and confirmed,
        until=aim.until,
        search=found.search,
        scale=found.scale,
        steps=steps,
        class_=judged.class_,
        label=judged.label,
        score=judged.score,
        probability=judged.probability,
        l2=l2(found.image, origin),
        linf=linf(found.image, origin),
        similarity=similarity,
        ssim=unaligned,
        metric="euclidean" if aim.targets is None and aim.given is None else aim.stop.metric,
        distance_before=metrics["distance_before"],
        distance_after=metrics["distance_after"],
        cosine_before=metrics.get("cosine_before"),
        cosine_after=metrics.get("cosine_after"),
        gain=gain,
        reason="; ".join(reasons) or None,
        stems=stems,
        images=images,
    )


def _similarity(
    image: NDArray[np.uint8], origin: NDArray[np.uint8]
) -> tuple[PassScore | None, float | None, str | None]:
    """PASS and SSIM, or the reason why there are none."""
    try:
        return perceptual_similarity(image, origin), ssim(image, origin), None
    except InputError as error:
        return None, None, f"no SSIM and PASS: {error}"
