"""A command for click out of a function whose parameters state arguments and options (``statements.py``)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, final, get_args, get_origin

import click

from onnxray.cli.usage.defaults import stated_elsewhere, stated_in_file
from onnxray.cli.usage.help_pages import CommandWithPage
from onnxray.cli.usage.options import OptionInPanel, StatedArgument, is_isolated
from onnxray.cli.usage.statements import Argument, Option

SHARED_BY_SOME: Final = frozenset({"seed"})
"""Options that most commands share, which a command without them passes over in the file."""


@final
class FunctionCommand(CommandWithPage):
    """A command that is a function; its options have defaults in the working folder's file, too."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read what was typed. Errors: click.UsageError, for the file's mistakes too."""
        if parent is not None and not parent.resilient_parsing and not is_isolated(parent):
            extra["default_map"] = self._file_defaults([*path_of(parent), str(info_name)], parent.find_root().command)
        return super().make_context(info_name, args, parent, **extra)

    def _file_defaults(self, command: list[str], program: click.Command) -> dict[str, Any]:
        options = [one for one in self.params if isinstance(one, OptionInPanel) and one.statable != "typed"]
        named = {one.longest.lstrip("-"): one for one in options}
        shared = {name for name, one in named.items() if one.statable == "anywhere"}
        assert isinstance(program, click.Group)
        return stated_in_file(
            command, named, shared=shared | SHARED_BY_SOME, commands=list(program.commands), folder=Path()
        )


def command_from(name: str, function: Callable[..., None]) -> click.Command:
    """The command that calls ``function`` with what was typed, and with ``stated`` where options were stated elsewhere:
    where -> how they would have been typed.
    """
    parameters = inspect.signature(function).parameters.values()
    defaults = {one.name: one.default for one in parameters}

    def run(**values: Any) -> None:
        stated = stated_elsewhere(click.get_current_context())
        plain = {name: _plain(value, defaults[name]) for name, value in values.items()}
        function(**plain, **({"stated": stated} if stated else {}))

    return FunctionCommand(
        name, params=[_parameter(one) for one in parameters], callback=run, help=inspect.getdoc(function)
    )


def path_of(context: click.Context) -> list[str]:
    """What was typed between ``onnxray`` and the arguments."""
    path: list[str] = []
    while context.parent is not None:
        path.insert(0, str(context.info_name))
        context = context.parent
    return path


def _plain(value: Any, default: Any) -> Any:
    """What was repeated as a list; the parameter's own default where nothing was given."""
    if not isinstance(value, tuple):
        return value
    return list(value) if value or default is inspect.Parameter.empty else default


def _parameter(parameter: inspect.Parameter) -> click.Parameter:
    kind, stated = parameter.annotation.__origin__, parameter.annotation.__metadata__[0]
    needed = parameter.default is inspect.Parameter.empty
    kind, repeated = _element(kind)
    if isinstance(stated, Argument):
        return StatedArgument(
            [parameter.name], type=_type(kind, None), required=needed, nargs=-1 if repeated else 1,
            metavar=stated.metavar, explanation=stated.help,
        )  # fmt: skip
    assert isinstance(stated, Option)
    default = None if needed or parameter.default == () else parameter.default
    names = stated.names or (f"--{parameter.name.replace('_', '-')}",)
    return OptionInPanel(
        [parameter.name, *names], type=stated.parser or _type(kind, stated.least), required=needed, default=default,
        is_flag=kind is bool, multiple=repeated, metavar=stated.metavar, help=stated.help,
        panel=stated.panel, statable=stated.statable,
        show_default=kind is not bool and default is not None,
    )  # fmt: skip


def _element(kind: Any) -> tuple[Any, bool]:
    """The type of one value, without None; and whether there may be several."""
    if get_origin(kind) in {Union, UnionType}:
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    return (get_args(kind)[0], True) if get_origin(kind) is list else (kind, False)


def _type(kind: Any, least: float | None) -> Any:
    if get_origin(kind) is Literal:
        return click.Choice(get_args(kind))
    if kind is Path:
        return click.Path(path_type=Path)
    if least is not None:
        return click.IntRange(min=int(least)) if kind is int else click.FloatRange(min=least)
    return kind
