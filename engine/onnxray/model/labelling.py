"""The names of the classes: as they are stated, else those of a data set that is named on unmistakable grounds.

stated    labels=, [head] of a TOML, the profile's own; for a model without pictures its metadata, or id2label in the
          config.json beside it, where the output gives as many class scores
assumed   the metadata or the config.json beside the model names the data set, or the user names a preprocessing that is
          ImageNet's; and the output gives exactly as many class scores. Never by their number alone, and it is said.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.classifier.class_names import labels_of, read_class_names
from onnxray.graph.classifier.output import class_labels
from onnxray.graph.facts import Graph
from onnxray.graph.outputs.facts import CLASS_KINDS, OutputKind, dims_of, width_of
from onnxray.graph.outputs.stated import StatedOutput, answered_with
from onnxray.images.profile.config_files import METADATA, cards_of, labels_beside
from onnxray.images.profile.discovery import read_labels
from onnxray.images.profile.families import FAMILIES
from onnxray.images.profile.label_files import listed_labels
from onnxray.images.profile.profile import Profile

NONE: Final = "none"
"""Stated in place of labels: classes are numbers, and no names are assumed."""

_LISTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType({
    "imagenet": {"imagenet": "ImageNet-1k", "imagenet-1001": "ImageNet-1k behind a background class"},
    "cifar10": {"cifar10": "CIFAR-10"},
    "cifar100": {"cifar100": "CIFAR-100"},
    "mnist": {"mnist": "MNIST"},
    "coco": {"coco": "COCO"},
    "voc": {"voc": "PASCAL VOC", "voc21": "PASCAL VOC behind the background"},
})  # fmt: skip
"""Data set -> its lists of class names, and what they are called."""
_WRITTEN: Final[Mapping[str, str]] = MappingProxyType({
    **{name: name for name in _LISTS},
    **dict.fromkeys(("imagenet1k", "in1k", "ilsvrc", "ilsvrc12", "ilsvrc2012", "imagenet2012"), "imagenet"),
    **dict.fromkeys(("imagenet1000", "imagenetilsvrc2012", "ilsvrc2012imagenet", "imagenetilsvrc"), "imagenet"),
    **dict.fromkeys(("coco2014", "coco2017", "mscoco"), "coco"),
    **dict.fromkeys(("pascalvoc", "voc2007", "voc2012", "pascalvoc2007", "pascalvoc2012", "voc0712"), "voc"),
})  # fmt: skip
"""A data set's name as people write it, small letters and digits alone -> the data set."""
_KEYS: Final = ("dataset", "datasets", "dataset_name", "training_dataset", "train_dataset", "trained_on")
_OF_IMAGENET: Final = frozenset({"caffe-imagenet", "torchvision", "tensorflow"})
"""Preprocessings that were made for ImageNet's classifiers, by name."""
_ONE_OF_ALL: Final[frozenset[OutputKind]] = frozenset({"classes", "logits", "probabilities"})
_TAG: Final = re.compile(r"(?:^|_)in([0-9]+k)(?=_|$)")
"""A data set in a tag of timm: the last is what the classes are of, as in augreg_in21k_ft_in1k."""
_LONGEST_NAME: Final = 200

Labels = Sequence[str] | str | os.PathLike[str]


def labelled(
    graph: Graph, profile: Profile | None, head: StatedOutput | None, labels: Labels | None, *, strict: bool
) -> tuple[Profile | None, StatedOutput | None]:
    """The profile and what is stated of the outputs, with the class names that count: the profile's where there is one.

    strict: nothing is assumed. Errors: ProfileError, InputError; UnknownValue for an output that is not there.
    """
    if labels is None and profile is None:
        return None, _of_files(graph, head)
    if labels is None:
        return (profile if strict or profile is None else _assumed(graph, profile, head)), head
    names = None if isinstance(labels, str) and labels == NONE else _names(labels)
    if head is not None:
        head = dataclasses.replace(head, labels=None)
    if profile is not None:
        return dataclasses.replace(profile, labels=names), head
    return None, head if names is None else dataclasses.replace(head or StatedOutput(), labels=names)


def _names(labels: Labels) -> tuple[str, ...]:
    """What is stated as labels, as names. Errors: ProfileError; InputError for what is neither names nor a file."""
    if isinstance(labels, str | os.PathLike):
        return read_labels(labels)
    if not isinstance(labels, Iterable):
        raise InputError(f"the labels are {short(labels)}; names, a file of them or the name of a list were expected")
    return tuple(labels)


def _of_files(graph: Graph, head: StatedOutput | None) -> StatedOutput | None:
    """What is stated of the outputs, with the names that the file has, or transformers' beside it, if they fit."""
    if head is not None and head.labels is not None:
        return head
    texts = (graph.metadata.get(key, "") for key in ("labels", "names"))
    labels = next(filter(None, map(read_class_names, texts)), None)
    if labels is None and graph.path is not None:
        labels = labels_beside(graph.path)
    if labels is None:
        return head
    found = dataclasses.replace(head or StatedOutput(), labels=labels)
    output = answered_with(graph, found, len(labels))
    count = 2 if output.kind == "binary" else width_of(dims_of(graph, output.name))
    return found if output.kind in CLASS_KINDS and count == len(labels) else head


def _assumed(graph: Graph, profile: Profile, head: StatedOutput | None) -> Profile:
    """The profile with the class names of the data set that is named, if there are as many scores; else as it is."""
    if profile.labels is not None or (head is not None and head.labels is not None):
        return profile
    grounds = _by_name(graph, profile)
    if grounds is None:
        return profile
    data_set, why, kinds = grounds
    output = answered_with(graph, head)
    width = width_of(dims_of(graph, output.name))
    if output.kind not in kinds or class_labels(graph, output.name) is not None:
        return profile
    for name, called in _LISTS[data_set].items():
        if len(names := listed_labels(name)) == width:
            said = f"{called}, assumed because {why} and output {short(output.name)} gives {width} class scores"
            return dataclasses.replace(profile, labels=names, labels_assumed=said)
    return profile


def _by_name(graph: Graph, profile: Profile) -> tuple[str, str, frozenset[OutputKind]] | None:
    """The data set that is named, by whom, and the kinds of outputs that its classes may be scored by."""
    for said, names in _told(graph, profile):
        known = {data_set for name in names if (data_set := _WRITTEN.get(_plain(name))) is not None}
        if len(known) == 1:
            return known.pop(), said, _ONE_OF_ALL | {"multi-label"}
    family = FAMILIES.get(profile.name)
    if family is None or profile.name not in _OF_IMAGENET or not profile.source.startswith(f"option {profile.name}"):
        return None
    whole = family.complete(graph, source=profile.source)  # numbers that are stated over it make it another's
    if (profile.scale, profile.mean, profile.std, profile.channels) != (
        whole.scale,
        whole.mean,
        whole.std,
        whole.channels,
    ):
        return None
    return "imagenet", f"the profile {profile.name}, as is stated, is ImageNet's", _ONE_OF_ALL


def _told(graph: Graph, profile: Profile) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is said where, and the names in it that may be a data set's."""
    for origin, card in [(METADATA, graph.metadata), *cards_of(graph, profile)]:
        for key in _KEYS:
            value = card.get(key)
            names = read_class_names(value) or (value,) if isinstance(value, str) else labels_of(value)
            if names:
                yield f"{origin} has {key} {short(value)}", names
        own = card.get("pretrained_cfg", card)
        tag = own.get("tag") if isinstance(own, Mapping) and "input_size" in own else None
        if isinstance(tag, str) and (found := _TAG.findall(tag[:_LONGEST_NAME])):
            yield f"{origin} has the tag {short(tag)}", (f"in{found[-1]}",)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name[:_LONGEST_NAME].rpartition("/")[2].casefold())
