"""Methods from text: their names, and options as NAME=VALUE."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from onnxray.errors import InputError
from onnxray.errors.near_misses import did_you_mean
from onnxray.methods.option_checks import described

T = TypeVar("T")


def configured(known: Mapping[str, type[T]], names: Sequence[str], settings: Sequence[str] = ()) -> tuple[T, ...]:
    """The named methods; settings are METHOD.OPTION=VALUE. Errors: InputError."""
    for name in names:
        if name not in known:
            raise InputError(f"there is no method {name!r}; {did_you_mean(name, known)}there are: {', '.join(known)}")
    if len(set(names)) != len(names):
        raise InputError(f"a method is named twice in {','.join(names)}; name each once")
    options: dict[str, dict[str, Any]] = {name: {} for name in names}
    for setting in settings:
        place, equals, text = setting.partition("=")
        name, dot, option = place.partition(".")
        if not equals or not dot or name not in options:
            raise InputError(f"the setting is {setting!r}; METHOD.OPTION=VALUE was expected, of {', '.join(names)}")
        field = option.replace("-", "_")
        hints = get_type_hints(known[name], include_extras=True)
        own = [f.name for f in dataclasses.fields(known[name]) if get_origin(hints[f.name]) is Annotated]  # type: ignore[arg-type]
        if field not in own:
            near = did_you_mean(field, own)
            raise InputError(f"{name} has no option {option!r}; {near}it has: {', '.join(own)}")
        options[name][field] = _value(described(hints[field])[0], text, setting)
    return tuple(known[name](**options[name]) for name in names)


def _value(kind: Any, text: str, setting: str) -> Any:
    """Text as the type of an option's field; the method's own checks say what it may be."""
    kinds = get_args(kind) if get_origin(kind) in {Union, types.UnionType} else (kind,)
    if type(None) in kinds and text == "none":
        return None
    if bool in kinds:
        if text not in {"true", "false"}:
            raise InputError(f"{setting!r}: true or false was expected")
        return text == "true"
    for number in (int, float):
        if number in kinds:
            try:
                return number(text)
            except ValueError:
                if number is float or float not in kinds:
                    raise InputError(f"{setting!r}: a {'whole ' if number is int else ''}number was expected") from None
    if str not in kinds and any(get_origin(one) is tuple for one in kinds):
        return tuple(text.split(","))
    if str not in kinds and not any(get_origin(one) is Literal for one in kinds):
        raise InputError(f"{setting!r}: this option cannot be stated as text")
    return text
