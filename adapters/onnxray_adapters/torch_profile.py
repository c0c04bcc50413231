"""What PyTorch's networks say of preprocessing, put into the model: timm's cards, torchvision's weights.

timm           module.pretrained_cfg, as it is: onnxray reads it out of the metadata
torchvision    weights.transforms(): shorter side to resize_size, the centre of crop_size, mean and std
"""

from __future__ import annotations

import json
from typing import Any, Final

import onnx

from onnxray.errors import OnnxrayError
from onnxray.errors.short_values import short
from onnxray.images.profile.discovery import METADATA_KEY
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.toml_form import toml_of

_CARD: Final = "pretrained_cfg"


def put_profile(model: onnx.ModelProto, about: Any) -> tuple[str, ...]:
    """Write what is known into the metadata; what is to be said of it.

    about: the module, or what a factory gave beside it: weights of torchvision's.
    """
    card = getattr(about, _CARD, None)
    if isinstance(card, dict):
        model.metadata_props.add(key=_CARD, value=json.dumps(card, default=str))
        return ()
    try:
        profile = _torchvision(about)
    except (OnnxrayError, TypeError, ValueError, AttributeError, IndexError) as error:
        return (f"preprocessing is stated, but cannot be read ({short(str(error))}); state --profile where it is used",)
    if profile is not None:
        model.metadata_props.add(key=METADATA_KEY, value=toml_of(profile))
    return ()


def _torchvision(about: Any) -> Profile | None:
    """The profile of weights; None where they state no such transforms."""
    transforms, meta = getattr(about, "transforms", None), getattr(about, "meta", None)
    if not callable(transforms) or not isinstance(meta, dict):
        return None
    preset = transforms()
    if not all(hasattr(preset, name) for name in ("crop_size", "resize_size", "mean", "std", "interpolation")):
        return None
    side, resized = int(preset.crop_size[0]), int(preset.resize_size[0])
    labels = meta.get("categories")
    return Profile(
        name="torchvision", layout="NCHW", channels="RGB", scale=1 / 255, mean=tuple(map(float, preset.mean)),
        std=tuple(map(float, preset.std)), size=(side, side), resize="crop", resized=(resized, resized),
        interpolation=preset.interpolation.value, labels=tuple(labels) if labels else None,
    )  # fmt: skip
