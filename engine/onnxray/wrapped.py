"""A saliency method from its name and its options as text: what a wrapping method is told on the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin, get_type_hints

from onnxray.errors import InputError
from onnxray.saliency import Saliency


def method_by_name(name: str, settings: Iterable[str] = ()) -> Saliency:
    """The method ``name``, configured by texts of the form OPTION=VALUE; one that takes several may be repeated.

    Errors: InputError naming the method, the option or the value that is not there.
    """
    from onnxray.methods import family

    known = family(Saliency)  # type: ignore[type-abstract]
    if name not in known:
        raise InputError(f"there is no saliency method {name!r}; there are {', '.join(known)}")
    hints = get_type_hints(known[name])
    options = {field: hints[field] for field in _fields(known[name]) if field != "score"}
    given: dict[str, Any] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        field = key.strip().replace("-", "_")
        if not equals or field not in options:
            named = ", ".join(option.replace("_", "-") for option in options) or "no options"
            raise InputError(f"{text!r} is no option of {name}; OPTION=VALUE was expected, with {named}")
        kinds = _kinds(options[field])
        if tuple in kinds:
            given[field] = (*given.get(field, ()), value)
        else:
            given[field] = _read(f"{name}'s {key.strip()}", value, kinds)
    return known[name](**given)


def _fields(method: type[Saliency]) -> list[str]:
    return [field.name for field in dataclasses.fields(method)]


def _kinds(hint: Any) -> frozenset[Any]:
    """The types that a hint is made of: int, float, bool, str, tuple; a choice of words is a str."""
    if get_origin(hint) is Literal:
        return frozenset(type(choice) for choice in get_args(hint))
    if get_origin(hint) is tuple:
        return frozenset({tuple})
    parts = get_args(hint)
    return frozenset().union(*map(_kinds, parts)) if parts else frozenset({hint})


def _read(what: str, text: str, kinds: frozenset[Any]) -> Any:
    if bool in kinds and text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                continue
    if str in kinds:
        return text
    expected = "true or false" if bool in kinds else "a number" if float in kinds else "a whole number"
    raise InputError(f"{what} is {text!r}; {expected} was expected")
