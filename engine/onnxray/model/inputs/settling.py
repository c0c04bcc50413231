"""The profile of a model of one picture, and what every input is read as, so that the two say the same; and what is
stated of the outputs beside them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.facts import Graph
from onnxray.graph.outputs.stated import StatedOutput
from onnxray.images.profile.discovery import check_fits, discover
from onnxray.images.profile.families import guess_family, image_input
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.stated_fields import with_fields
from onnxray.images.profile.toml_form import describes_picture, head_table, inputs_table
from onnxray.model.inputs.stated import ARRAYS, Inputs, inputs_of

Option = Profile | str | os.PathLike[str] | None


def settle(
    graph: Graph,
    option: Option,
    stated: Mapping[str, Any] | str | None = None,
    picture: Mapping[str, Any] | None = None,
) -> tuple[Profile | None, Inputs, StatedOutput | None]:
    """The profile, None for a model that takes no single picture; what each input is read as; the outputs as stated.

    option: see ``discover``; a TOML file may state inputs and outputs, with a profile or alone. stated: see
    ``inputs_of``; it wins over the TOML, input by input. picture: fields of the profile of the only input.
    Errors: ProfileError, InputError.
    """
    path = _toml(graph, option)
    profile, inputs = _read_as(graph, option, path, stated, picture)
    head = None if profile is None else profile.head
    return profile, inputs, head if head is not None or path is None else head_table(path)


def _read_as(
    graph: Graph, option: Option, path: Path | None, stated: Mapping[str, Any] | str | None,
    picture: Mapping[str, Any] | None,
) -> tuple[Profile | None, Inputs]:  # fmt: skip
    table = {} if path is None else inputs_table(path)
    if isinstance(stated, Mapping):
        table = {**table, **stated}
    if picture:
        table = {**table, **_of_picture(graph, table, stated, picture)}
    read_as = stated
    if stated is None or isinstance(stated, Mapping):
        read_as = table or None
    inputs = inputs_of(graph, read_as, folder=path and path.parent)
    if path is not None and option is not None and not describes_picture(path):
        option = None
    only = inputs.each[0] if len(inputs.each) == 1 else None
    if stated == ARRAYS or (only is not None and only.stated and only.kind != "picture"):
        if option is not None:
            kind = ARRAYS if stated == ARRAYS else only.kind if only is not None else ""
            raise InputError(
                f"the profile {short(option)} reads pictures, and the input is stated to be {kind}; give one"
            )
        return None, inputs
    profile = discover(graph, option)
    if only is None or only.kind != "picture":
        return profile, inputs if profile is None else _of_profile(inputs, profile)
    if only.stated:
        profile = _stated(graph, profile, only.options)
    return profile, _of_profile(inputs, profile) if profile is not None else _without(inputs)


def _of_picture(
    graph: Graph, table: Mapping[str, Any], stated: Mapping[str, Any] | str | None, picture: Mapping[str, Any]
) -> dict[str, Any]:
    """What is stated of the only input, with the fields of its profile. Errors: InputError."""
    if len(graph.inputs) != 1 or stated == ARRAYS:
        why = "the inputs are stated to be arrays" if stated == ARRAYS else f"the model has {len(graph.inputs)} inputs"
        raise InputError(f"{', '.join(picture)} of a picture: {why}; state them in tables [inputs.NAME] of a TOML")
    name = graph.inputs[0].name
    own = table.get(name, {})
    return {name: {"kind": "picture", **(own if isinstance(own, Mapping) else {"kind": own}), **picture}}


def _toml(graph: Graph, option: Option) -> Path | None:
    """The TOML file that is named, else the one beside the model; None where neither is there."""
    if isinstance(option, Profile) or (option is not None and not str(option).endswith(".toml")):
        return None
    path = Path(option) if option is not None else graph.path and graph.path.with_suffix(".toml")
    try:
        return path if path is not None and path.is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def _stated(graph: Graph, profile: Profile | None, options: Mapping[str, Any]) -> Profile:
    """The profile of an input that is stated to be a picture: guessed where none was found, with what was stated."""
    if profile is None:
        family, why = guess_family(graph, image_input(graph))
        profile = family.complete(graph, source="inferred", assumed=True, reasons=(why,))
    if not options:
        return profile
    stated = with_fields(profile, options)
    check_fits(stated, graph)
    return stated


def _of_profile(inputs: Inputs, profile: Profile) -> Inputs:
    """A model with a profile takes pictures, whatever was thought of its input."""
    only = inputs.each[0]
    if only.kind == "picture":
        return inputs
    taken = dataclasses.replace(only, kind="picture", grounds=f"profile {profile.name} ({profile.source})")
    return dataclasses.replace(inputs, each=(taken,))


def _without(inputs: Inputs) -> Inputs:
    """What looks like a picture, and no profile describes, is read as arrays."""
    only = inputs.each[0]
    taken = dataclasses.replace(only, kind="array", grounds=f"{only.grounds}; no profile describes such a picture")
    return dataclasses.replace(inputs, each=(taken,))
