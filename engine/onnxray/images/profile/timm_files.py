"""config.json of timm as a profile: the picture as timm's evaluation transform would hand it on.

    input = (pixels / 255 - mean) / std                                    timm.data.transforms_imagenet_eval

What a file leaves out is what timm does then; crop_mode says how pictures come to S = size / crop_pct, rounded down:
center keeps the aspect and covers S, squash stretches to S, border fits into S; then the centre of the size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from onnxray.errors import ProfileError
from onnxray.errors.short_values import short
from onnxray.graph.classifier.class_names import labels_of
from onnxray.images.profile.families import ImageInput, averaged, free_size
from onnxray.images.profile.file_values import name_of, numbers, sides
from onnxray.images.profile.profile import Profile, Resize

_RULES: Final[Mapping[str, Resize]] = {"center": "crop", "squash": "stretch", "border": "pad"}


def timm_profile(config: Mapping[str, Any], origin: str, found: ImageInput) -> Profile | None:
    """Return the profile that a file states, flat or under pretrained_cfg; None where it is none of timm's.

    Errors: ProfileError.
    """
    card = config.get("pretrained_cfg", config)
    if not isinstance(card, dict) or not {"mean", "std"} <= card.keys() or not {"input_size", "crop_pct"} & card.keys():
        return None
    reasons = found.reasons
    shape = card.get("input_size")
    if shape is None:
        count = found.channels or 3
        size, why = free_size(found, (224, 224))
        reasons += why
    elif isinstance(shape, list) and len(shape) == 3 and shape[0] in (1, 3):
        count, size = shape[0], sides(shape[1:], "input_size", origin)
    else:
        raise ProfileError(f"{origin}: input_size is {short(shape)}; expected [channels, height, width]")
    mode = card.get("crop_mode") or "center"
    interpolation: Any = card.get("interpolation") or "bicubic"
    if mode not in tuple(_RULES):
        raise ProfileError(f"{origin}: crop_mode is {short(mode)}; expected one of {', '.join(_RULES)}")
    fraction: Any = card.get("crop_pct") or 0.875
    mean, std = numbers(card["mean"], "mean", origin), numbers(card["std"], "std", origin)
    if count == 1 and (len(mean), len(std)) == (3, 3):
        mean, std = averaged(mean), averaged(std)
        reasons += ("grey: the model has one channel, so mean and std are averaged",)
    names = labels_of(config.get("label_names")) or labels_of(card.get("label_names"))
    descriptions = config.get("label_descriptions") or card.get("label_descriptions")
    if names and isinstance(descriptions, dict):
        names = tuple(text if isinstance(text := descriptions.get(name), str) else name for name in names)
    resized, fraction = _resized(size, fraction, _RULES[mode])
    return Profile(
        name=name_of(config.get("architecture") or card.get("architecture"), "timm"),
        layout=found.layout or "NCHW",
        channels="GREY" if count == 1 else "RGB",
        scale=1 / 255,
        mean=mean,
        std=std,
        size=size,
        resize=_RULES[mode],
        interpolation="bilinear" if interpolation == "random" else interpolation,
        crop_fraction=fraction,
        resized=resized,
        fill=0.0 if resized and mode != "border" and min(map(int.__sub__, resized, size)) < 0 else None,
        labels=names or labels_of(config.get("id2label")),
        source=origin,
        reasons=reasons,
    )


def _resized(size: tuple[int, int], fraction: Any, rule: Resize) -> tuple[tuple[int, int] | None, Any]:
    """Return ``resized`` and crop_fraction: the first only where the second does not say the same."""
    if type(fraction) not in (int, float) or not 0.01 <= fraction <= 100:
        return None, fraction  # no number that a profile takes, which it says
    target = math.floor(size[0] / fraction), math.floor(size[1] / fraction)
    if rule != "crop":
        return (None if target == size else target), 1.0
    plain = fraction <= 1 and target == tuple(int(side / fraction + 1e-6) for side in size)
    return (None, fraction) if plain else (target, 1.0)
