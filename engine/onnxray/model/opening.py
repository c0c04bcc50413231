"""A model opened: from a path, a bundled name, bytes or a ModelProto."""

from __future__ import annotations

import copyreg
import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from onnxray.errors import ProfileError
from onnxray.errors.type_checks import check_kind
from onnxray.graph.classifier.output import logits_of
from onnxray.graph.outputs.stated import StatedOutput, answered_with, read_stated
from onnxray.graph.reading import read_graph
from onnxray.images.profile.profile import Profile
from onnxray.model.inputs.settling import settle
from onnxray.model.labelling import Labels, labelled
from onnxray.model.model import Model
from onnxray.model.sources import Source, bundled

_log = logging.getLogger("onnxray")


def open_model(
    source: Source,
    profile: Profile | str | os.PathLike[str] | None = None,
    *,
    labels: Labels | None = None,
    device: str = "cpu",
    strict: bool = False,
    approximate: bool = False,
    output: StatedOutput | str | None = None,
    inputs: Mapping[str, Any] | str | None = None,
    picture: Mapping[str, Any] | None = None,
) -> Model:
    """Open an ONNX model: a path, a bundled name such as ``lenet``, bytes, or a ModelProto. Only parses.

    profile: a Profile, a built-in family's name or a TOML file; by default it is searched beside the model, in its
    metadata, and inferred at last, which is marked ``assumed``. labels: the names of the classes in the order of the
    logits, a file of them, the name of a list (``label_files.py``), or ``"none"``; where left out, those that the model
    states, else of the data set that it or the profile names (``labelling.py``). strict: refuse an assumed profile, and
    folders with pictures that cannot be read, which are left out otherwise; assume no labels. approximate: give
    gradients also where this processor saturates u8 x s8 products, so that they cannot be checked; results say so.
    output: the output that is answered with and, after "=", what it is (``"embedding=embedding"``), where the file is
    read wrong; it counts before a profile's ``[head]``.
    inputs: what inputs are read as, a dict of kinds by their names (onnxray.graph.inputs.kinds), told from the file
    where left out; ``"arrays"``: as they are. picture: fields of the profile (size, resize, channels, mean, std, scale)
    that are stated over the one that is found.
    Errors: ModelFileError, ProfileError; UnknownValue and InputError for an output that is not there or not such.
    """
    check_kind("the device", device, str)
    for name, value in (("strict", strict), ("approximate", approximate)):
        check_kind(name, value, bool)
    graph = read_graph(bundled(source))
    found, read_as, head = settle(graph, profile, inputs, picture)
    if strict and found is not None and found.assumed:
        raise ProfileError(
            f"the profile {found.name!r} is assumed ({'; '.join(found.reasons)}) and --strict refuses that; "
            "state it with --profile, or in a TOML file beside the model"
        )
    stated = read_stated(graph, output) if isinstance(output, str) else output
    check_kind("the output", stated, StatedOutput | None)
    if stated is None:
        stated = head
    elif head is not None and stated.labels is None:
        stated = dataclasses.replace(stated, labels=head.labels)
    found, stated = labelled(graph, found, stated, labels, strict=strict)
    if stated is not None and stated.output is not None and found is not None and found.logits == logits_of(graph):
        found = dataclasses.replace(found, logits=None, features=None)  # those of the output that is not meant
    profile_name = "none" if found is None else found.name
    _log.info("opened %s: %d nodes, profile %s", graph.path or "bytes", len(graph.nodes), profile_name)
    told: dict[str, Any] = {"source": source, "profile": profile, "labels": labels, "output": output}
    told |= {"inputs": inputs, "picture": picture}
    opened = told if isinstance(source, str | os.PathLike) else None
    model = Model(
        graph, found, device, approximate=approximate, strict=strict, output=stated, inputs=read_as, opened=opened
    )
    if model.answering.stated is not None:
        answered_with(graph, model.answering.stated)  # what is wrong with it is said before anything is done
    return model


def _pickled(model: Model) -> tuple[Callable[..., Model], tuple[Any, ...]]:
    """What makes the model again: its file, which must be the same one then, and how it is read."""
    plain = (dataclasses.replace(one, options=dict(one.options)) for one in model.inputs.each)
    facts: dict[str, Any] = {
        "approximate": model.approximate, "strict": model.strict, "output": model.answering.stated,
        "inputs": dataclasses.replace(model.inputs, each=tuple(plain)),
    }  # fmt: skip
    return functools.partial(Model, **facts), (model.graph, model.profile, model.device)


copyreg.pickle(Model, _pickled)
