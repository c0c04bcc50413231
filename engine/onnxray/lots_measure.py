"""The numbers of a LOTS image, all measured on the 8-bit pictures that are saved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.line_search import Found
from onnxray.lots_aim import Aim, Shots, as_pixels
from onnxray.lots_item import LotsItem, Shown
from onnxray.metrics import PassScore, l2, linf, perceptual_similarity, ssim
from onnxray.model import Model
from onnxray.report.contact_sheet import signed_to_grey

Ended = tuple[Found, int]
"""Where a pair ended, and how many gradients were taken."""


def measure(model: Model, aim: Aim, layer: str, pairs: Sequence[int], ended: Sequence[Ended]) -> list[LotsItem]:
    """Judge and measure the images that pairs ended on at one layer."""
    images = np.stack([found.image for found, _ in ended])
    judged = Shots(images=images, names=(None,) * len(images), predictions=model.predict(as_pixels(images)))
    after = model.values(as_pixels(images), [layer])[layer]
    indices = np.array(pairs)
    before = aim.before[layer][aim.origin_of[indices]]
    metrics = {
        "distance_before": aim.distances(layer, before, indices),
        "distance_after": aim.distances(layer, after, indices),
    }
    if aim.representations is not None:
        metrics["cosine_before"] = 1 - aim.distances(layer, before, indices, "cosine")
        metrics["cosine_after"] = 1 - aim.distances(layer, after, indices, "cosine")
    return [
        _item(aim, layer, pair, found, steps, shown(judged, k), {name: float(v[k]) for name, v in metrics.items()})
        for k, (pair, (found, steps)) in enumerate(zip(pairs, ended))
    ]


def shown(shots: Shots, index: int) -> Shown:
    """One image of a batch as the judge sees it."""
    predictions = shots.predictions
    winner = int(predictions.classes[index])
    return Shown(
        path=shots.names[index],
        class_=winner,
        label=predictions.labels[index],
        score=float(predictions.scores[index, winner]),
        probability=float(predictions.probabilities[index, winner]),
    )


def _item(
    aim: Aim, layer: str, pair: int, found: Found, steps: int, judged: Shown, metrics: dict[str, float]
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
        reasons.insert(0, f"the goal ({aim.until}) was not reached within {how}")
    return LotsItem(
        mode=aim.mode,
        layer=layer,
        origin=shown(aim.origins, origin_index),
        target=None if aim.targets is None else shown(aim.targets, target_index),
        target_source=aim.source,
        success=found.reached,
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
        metric=aim.stop.metric if aim.representations is not None else "euclidean",
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
