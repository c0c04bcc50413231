"""Preprocessing and class names out of the JSON files that timm and transformers put beside their models.

timm           config.json                                        timm_files.py
transformers   preprocessor_config.json or processor_config.json  transformers_files.py; config.json: id2label
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from onnxray.errors import ProfileError
from onnxray.images.profile.class_names import labels_of
from onnxray.images.profile.families import ImageInput
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.side_text import parse_json
from onnxray.images.profile.timm_files import timm_profile
from onnxray.images.profile.toml_form import read_side_text
from onnxray.images.profile.transformers_files import transformers_profile

_TRANSFORMERS: Final = {"image_mean", "do_normalize", "do_rescale", "rescale_factor"}
CARDS: Final = frozenset({"config", "pretrained_cfg", "preprocessor_config", "image_processor", "data_config"})
"""What such files are called where they lie in a model's metadata."""
_PROCESSORS: Final = (("preprocessor_config.json", None), ("processor_config.json", "image_processor"))
"""The files that hold an image processor, and the key of its part where there is more in it."""
_NAMES: Final = {"image_processor_type", "feature_extractor_type"}


def configured(path: Path, found: ImageInput) -> Profile | None:
    """Return the profile that the JSON files beside a model state; None where they say nothing of preprocessing.

    The folder above is looked into as well where the model lies in one called ``onnx``, as optimum writes it.
    Errors: ProfileError naming the file that is no JSON, or whose values make no profile.
    """
    folders = [path.parent, *([path.parent.parent] if path.parent.name == "onnx" else [])]
    for folder in folders:
        config = _read(folder / "config.json")
        labels, model_type = labels_of(config.get("id2label")), config.get("model_type")
        for name, key in _PROCESSORS:
            processor = _read(folder / name)
            part = processor.get(key) if key else processor
            if isinstance(part, dict) and (_TRANSFORMERS | _NAMES) & part.keys():
                return transformers_profile(part, name, found, model_type=model_type, labels=labels)
        profile = card_profile(config, "config.json", found)
        if profile is not None:
            return profile
    return None


def card_profile(config: dict[str, Any], origin: str, found: ImageInput) -> Profile | None:
    """Return the profile that one file of timm or transformers states by itself; None where it states none.

    Errors: ProfileError.
    """
    profile = timm_profile(config, origin, found)
    if profile is None and (_TRANSFORMERS | {"image_processor_type"}) & config.keys():
        labels, model_type = labels_of(config.get("id2label")), config.get("model_type")
        return transformers_profile(config, origin, found, model_type=model_type, labels=labels)
    return profile


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    text = read_side_text(path)
    try:
        value = parse_json(text)
    except ValueError as error:
        raise ProfileError(f"{path}: is no JSON ({error}); name the profile yourself to pass it over") from error
    return value if isinstance(value, dict) else {}
