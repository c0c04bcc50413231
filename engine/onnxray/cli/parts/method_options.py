"""A method's options on the command line, read off its dataclass, so that nothing is written twice."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from onnxray.methods.option_checks import described


def with_options_of(*methods: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option a described field of each of ``methods`` in place of its ``**options``."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        added = [_parameter(field, hint) for method in methods for field, hint in _fields(method)]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + added
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def _fields(method: type[Any]) -> list[tuple[dataclasses.Field[Any], Any]]:
    hints = get_type_hints(method, include_extras=True)
    described = [field for field in dataclasses.fields(method) if get_origin(hints[field.name]) is Annotated]
    return [(field, hints[field.name]) for field in described]


def _parameter(field: dataclasses.Field[Any], hint: Any) -> inspect.Parameter:
    kind, text, limits = described(hint)
    text = f"{text[:1].upper()}{text[1:]}{'' if limits is None else f' ({limits})'}."
    default = field.default
    if any(get_origin(part) is tuple for part in get_args(kind)):  # one name or several: a repeatable option
        kind = list[str] | None
    flag = f"--{field.name.rstrip('_').replace('_', '-')}"  # float_ is no type
    names = f"{flag}/--no-{flag[2:]}" if kind is bool else flag
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default,
        annotation=Annotated[kind, typer.Option(names, help=text, rich_help_panel="Method")],
    )  # fmt: skip


def plain_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as a method takes them: tuples for what was repeated."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
