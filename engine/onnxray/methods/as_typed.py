"""A call from Python as the command that does the same, so that its result can be made again; or why none does.

What a command line cannot state (an array, an objective, a profile that is no file) is said in its place.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_origin, get_type_hints

from onnxray.errors.short_values import short
from onnxray.model.model import Model
from onnxray.results.made_from import Call


class Unstated(Exception):
    """Why a call from Python is no command's."""


def call_of(method: Any, model: Model, images: object, goal: object, *, seed: int, each: object) -> Call:
    """The command and its options that do what a call from Python did."""
    try:
        if each is not None:
            raise Unstated("it was changed by a function given as each")
        command = method.command()
        if not command:
            raise Unstated(f"no command runs {method.name!r} as it was called")
        refuse_own(method)
        return Call(command=command, options={**opening(model), **method.as_typed(images, goal), "seed": seed})
    except Unstated as reason:
        return Call(reason=str(reason))


def opening(model: Model) -> dict[str, Any]:
    """How the model was opened, as options. Errors: Unstated."""
    stated = model.opened
    if stated is None:
        raise Unstated("its model came from no file, or from none by its name")
    options: dict[str, Any] = {
        "model": path_text("the model", stated["source"]),
        "profile": path_text("the profile", stated["profile"]), "labels": path_text("the labels", stated["labels"]),
        "output": path_text("the output", stated["output"]),
        "device": model.device, "strict": model.strict, "approximate": model.approximate,
    }  # fmt: skip
    inputs = stated["inputs"]
    if isinstance(inputs, Mapping) and all(isinstance(kind, str) for kind in inputs.values()):
        options["input"] = [f"{name}={kind}" for name, kind in inputs.items()]
    elif inputs is not None:
        options["input"] = [path_text("what the inputs are read as", inputs)]
    for name, value in (stated["picture"] or {}).items():
        parts = value if isinstance(value, tuple | list) else (value,)
        options[f"profile_{name}"] = ("x" if name == "size" else ",").join(map(str, parts))
    return options


def path_text(what: str, value: object) -> str | None:
    """A text or path as text, None as it is. Errors: Unstated."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, os.PathLike) and isinstance(path := os.fspath(value), str):
        return path
    raise Unstated(f"{what}, given as {short(value)}: no command line states that; give a file")


def path_texts(what: str, value: object) -> list[str] | None:
    """One text or path, or several, as texts; None as it is. Errors: Unstated."""
    if value is None:
        return None
    each = value if isinstance(value, list | tuple) else [value]
    return [str(path_text(what, one)) for one in each]


def target_text(goal: object) -> str | None:
    """One target for all images as text. Errors: Unstated."""
    if isinstance(goal, int) and not isinstance(goal, bool):
        return f"class:{goal}"
    if goal is None or isinstance(goal, str):
        return goal
    raise Unstated(f"the target, given as {short(goal)}: no command line states that")


def refuse_own(method: Any) -> None:
    """Refuse a method that is none of onnxray's. Errors: Unstated."""
    if not type(method).__module__.startswith("onnxray."):
        raise Unstated(f"{method.name!r} is a class of its user's own; run its file by --method-file")


def plain_fields(method: Any, without: Sequence[str] = ()) -> dict[str, Any]:
    """The described options of a method; others, but for ``without``, are as by default. Errors: Unstated."""
    refuse_own(method)
    hints = get_type_hints(type(method), include_extras=True)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(method):
        value = getattr(method, field.name)
        if get_origin(hints[field.name]) is not Annotated:
            if field.name not in without and value != field.default:
                raise Unstated(f"the option {field.name}, given as {short(value)}: no command line states that")
            continue
        each = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(one, str | int | float | None) for one in each):
            raise Unstated(f"the option {field.name}, given as {short(value)}: no command line states that")
        found[field.name] = list(value) if isinstance(value, tuple) else value
    return found


def methods_typed(methods: Sequence[Any]) -> dict[str, Any]:
    """Several methods as ``--methods`` and ``--set`` state them. Errors: Unstated."""
    return {"methods": ",".join(method.name for method in methods), "settings": settings_of(methods)}


def settings_of(methods: Sequence[Any]) -> list[str]:
    """The options of methods that are not as by default, as METHOD.OPTION=VALUE. Errors: Unstated."""
    found = []
    for method in methods:
        defaults = {field.name: field.default for field in dataclasses.fields(method)}
        for name, value in plain_fields(method).items():
            default: Any = defaults[name]
            if value == (list(default) if isinstance(default, tuple) else default):
                continue
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            found.append(f"{method.name}.{name}={text.lower() if value is None or isinstance(value, bool) else text}")
    return found
