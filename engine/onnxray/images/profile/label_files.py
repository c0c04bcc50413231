"""Class names out of files as people have them, and the well-known lists by name.

one a line          tench                              n01440764 tench, Tinca tinca (synset lines)
a list              ["tench", "goldfish"]              ['tench', 'goldfish']
a table             {"0": "tench"}                     {0: 'tench'}             {"tench": 0}
Keras               {"0": ["n01440764", "tench"]}
a configuration     {"id2label": {"0": "tench"}}       {"label2id": ...}        {"label_names": [...]}, {"names": ...}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from onnxray.errors import ProfileError
from onnxray.graph.classifier.class_names import labels_of, read_class_names
from onnxray.graph.outputs.label_checks import MAX_LABELS
from onnxray.images.profile.side_text import parse_json

_WITH_BACKGROUND: Final[Mapping[str, str]] = MappingProxyType({"voc21": "voc", "imagenet-1001": "imagenet"})
LABEL_LISTS: Final = ("mnist", "cifar10", "cifar100", "voc", "voc21", "coco", "imagenet", "imagenet-1001")
"""The lists by name: COCO's 80 classes; voc21 and imagenet-1001 begin with the background."""
_KEYS: Final = ("id2label", "label2id", "label_names", "labels", "names", "classes")


def listed_labels(name: str) -> tuple[str, ...]:
    """Return the class names of a well-known list, one of ``LABEL_LISTS``."""
    import onnxray_models

    own = onnxray_models.labels(_WITH_BACKGROUND.get(name, name))
    return ("background", *own) if name in _WITH_BACKGROUND else own


def labels_in(text: str, path: Path) -> tuple[str, ...]:
    """Return the class names in a file's text, whose form shows in how it begins. Errors: ProfileError."""
    first = text.lstrip()[:1]
    if first in ("[", "{", "("):
        found = read_class_names(text) or _of_json(path, text)
    else:
        found = _without_quotes(tuple(text.rstrip().splitlines()))
    if not found:
        raise ProfileError(
            f"{path}: holds no class names; expected one a line, a list, or a table of numbers and names"
        )
    if len(found) > MAX_LABELS:
        raise ProfileError(f"{path}: {len(found)} lines; at most {MAX_LABELS} class names are taken, one a line")
    return found


def _without_quotes(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines of a file that puts each of them into quotes, as numpy and Caffe's users write them, without these."""
    quoted = [len(line) > 2 and line[0] == line[-1] and line[0] in "'\"" for line in map(str.strip, lines)]
    return tuple(line.strip()[1:-1] for line in lines) if lines and all(quoted) else lines


def _of_json(path: Path, text: str) -> tuple[str, ...] | None:
    try:
        value = parse_json(text)
    except ValueError as error:
        raise ProfileError(f"{path}: is no JSON ({error}), and not one name a line either") from error
    return _of_value(value)


def _of_value(value: Any) -> tuple[str, ...] | None:
    found = labels_of(value)
    if found or not isinstance(value, dict):
        return found
    for key in _KEYS:
        if key in value:
            return _of_value(value[key])
    if all(
        isinstance(one, list) and len(one) == 2 for one in value.values()
    ):  # Keras: number -> [WordNet number, name]
        return labels_of({key: one[1] for key, one in value.items()})
    if all(type(one) is int for one in value.values()) and len(set(value.values())) == len(value):
        return labels_of({number: name for name, number in value.items()})
    return None
