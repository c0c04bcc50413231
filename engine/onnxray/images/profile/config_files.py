"""Preprocessing and class names out of the JSON files that timm, transformers and KerasHub put beside their models.

timm           config.json                                        timm_files.py
transformers   preprocessor_config.json or processor_config.json  transformers_files.py; config.json: id2label
KerasHub       image_converter.json, preprocessor.json            keras_files.py
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onnxray.errors import ProfileError
from onnxray.errors.short_values import short
from onnxray.graph.classifier.class_names import MAX_TEXT, labels_of
from onnxray.images.profile.families import ImageInput
from onnxray.images.profile.keras_files import FILES, keras_profile
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.side_text import parse_json
from onnxray.images.profile.timm_files import timm_profile
from onnxray.images.profile.toml_form import read_side_text
from onnxray.images.profile.transformers_files import transformers_profile

if TYPE_CHECKING:
    from onnxray.graph.facts import Graph

METADATA: Final = "ONNX metadata"
_TRANSFORMERS: Final = {"image_mean", "do_normalize", "do_rescale", "rescale_factor"}
_CARDS: Final = frozenset({"config", "pretrained_cfg", "preprocessor_config", "image_processor", "data_config"})
"""What such files are called where they lie in a model's metadata."""
_CARD: Final = "config.json"
_NUMBERED: Final = re.compile(r"LABEL_[0-9]{1,9}")
_PROCESSORS: Final = (("preprocessor_config.json", None), ("processor_config.json", "image_processor"))
"""The files that hold an image processor, and the key of its part where there is more in it."""
_NAMES: Final = {"image_processor_type", "feature_extractor_type"}


def configured(path: Path, found: ImageInput) -> Profile | None:
    """Return the profile that the JSON files beside a model state; None where they say nothing of preprocessing.

    The folder above is looked into as well where the model lies in one called ``onnx``, as optimum writes it.
    Errors: ProfileError naming the file that is no JSON, or whose values make no profile.
    """
    for folder in _folders(path):
        config = _read(folder / _CARD)
        labels, model_type = labels_of(config.get("id2label")), config.get("model_type")
        for name, key in _PROCESSORS:
            processor = _read(folder / name)
            part = processor.get(key) if key else processor
            if isinstance(part, dict) and (_TRANSFORMERS | _NAMES) & part.keys():
                return transformers_profile(part, name, found, model_type=model_type, labels=labels)
        profile = card_profile(config, _CARD, found)
        keras = ((name, _read(folder / name)) for name in FILES)
        profile = profile or next(filter(None, (keras_profile(own, name, found) for name, own in keras)), None)
        if profile is not None:
            return profile
    return None


def metadata_cards(metadata: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Such files that an exporter put into the metadata as they are: origin and table. Errors: ProfileError."""
    for key, text in metadata.items():
        if key.lower().removesuffix(".json") not in _CARDS or not text.lstrip().startswith("{"):
            continue
        try:
            card = parse_json(text) if len(text) <= MAX_TEXT else None
        except ValueError as error:
            raise ProfileError(f"{METADATA}, {short(key)}: is no JSON ({error}); name the profile yourself") from error
        if isinstance(card, dict):
            yield f"{METADATA}, {key[:80]}", card


def cards_of(graph: Graph, profile: Profile) -> tuple[tuple[str, dict[str, Any]], ...]:
    """The files of this kind that a profile was read with: what they are called, and their tables."""
    if profile.source.startswith(f"{METADATA}, "):
        own = (found for found in metadata_cards(graph.metadata) if found[0] == profile.source)
        return tuple(itertools.islice(own, 1))
    if graph.path is None or profile.source not in {_CARD, *(name for name, _ in _PROCESSORS)}:
        return ()
    return tuple((_CARD, _read(folder / _CARD)) for folder in _folders(graph.path))


def labels_beside(path: Path) -> tuple[str, ...] | None:
    """The class names in the config.json of transformers beside a model; None where there are none but its own numbers.

    A file that is no JSON is passed over: it need not be this model's, of which nothing else is read there.
    """
    for folder in _folders(path):
        try:
            labels = labels_of(_read(folder / _CARD).get("id2label"))
        except ProfileError:
            continue
        if labels is not None and not all(_NUMBERED.fullmatch(label) for label in labels):
            return labels
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


def _folders(path: Path) -> list[Path]:
    return [path.parent, *([path.parent.parent] if path.parent.name == "onnx" else [])]


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    text = read_side_text(path)
    try:
        value = parse_json(text)
    except ValueError as error:
        raise ProfileError(f"{path}: is no JSON ({error}); name the profile yourself to pass it over") from error
    return value if isinstance(value, dict) else {}
