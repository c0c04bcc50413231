"""What PyTorch's networks say of preprocessing, put into the model: timm's, torchvision's and transformers' cards.

timm           module.pretrained_cfg, as it is: onnxray reads it out of the metadata
torchvision    weights.transforms(): shorter side to resize_size, the centre of crop_size, mean and std
transformers   processor.to_dict(), the image processor that a factory gives beside its model; class names of the model
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
_PROCESSOR: Final = "preprocessor_config"


def put_profile(model: onnx.ModelProto, about: Any, module: Any = None) -> tuple[str, ...]:
    """Write what is known into the metadata; what is to be said of it.

    about: the module, or what a factory gave beside it: weights of torchvision's, an image processor of transformers'.
    """
    card = getattr(about, _CARD, None)
    if isinstance(card, dict):
        model.metadata_props.add(key=_CARD, value=json.dumps(card, default=str))
        return ()
    if (processor := _transformers(about, module)) is not None:
        model.metadata_props.add(key=_PROCESSOR, value=json.dumps(processor, default=str))
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


def _transformers(about: Any, module: Any) -> dict[str, Any] | None:
    """What an image processor states, and the class names of its model; None of anything else."""
    if not callable(getattr(about, "to_dict", None)) or not hasattr(about, "image_mean"):
        return None
    card: dict[str, Any] = dict(about.to_dict())
    config = getattr(module, "config", None)
    for name in ("id2label", "model_type"):
        if (value := getattr(config, name, None)) is not None:
            card.setdefault(name, value)
    return card
